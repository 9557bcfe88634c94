"""Digests of source code: they change where a result may change, and only there.

The digest of a stage covers its script, the modules that the script imports, and those that these
import, also inside functions. Comments, docstrings, blank lines, imports of types and the looks of
methods do not count, and neither do the modules in ``APART``, which decide no number.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
SCRIPTS = PACKAGE.parent / "workflow" / "scripts"

# They say what is wrong, where files lie, what is planned or recorded; no number comes from them.
APART = re.compile(
    r"graphprune|graphprune\.(check|errors|files|layout|options|plugins|precompile|serving"
    r"|training\.live|configuration|jobs|provenance|tracking)(\..*)?"
)
# names in methods that are about figures and pages, where they hold text
_LOOKS = {"title", "colour", "marker", "paper"}
# the package's lists of all entries: what an entry says is in the recipe of those who use it
_LISTS = {"BUILTIN", "MODELS", "DATASETS"}
_CATALOG = "catalog.py"
# packages load their public names on first use, by these dictionaries of name -> module
_PUBLIC = {"_PUBLIC", "_LAZY"}


@cache
def digest_of(*entries: str, whole: bool = False) -> str:
    """SHA-256, hexadecimal, of the code behind ``entries``.

    entries: paths of files, or names of modules of the package. Names of installed modules that
    are not graphprune's add nothing: their versions are recorded beside the digest. whole: the
    modules in ``APART`` count too.

    >>> digest_of("graphprune.masks") == digest_of("graphprune.masks")
    True
    """
    sha = hashlib.sha256()
    # plug-ins in different folders may have one name
    for place, source in sorted((place_of(path), plain(path)) for path in closure(entries, whole)):
        sha.update(f"{place}\n".encode())
        sha.update(source)
    return sha.hexdigest()


def closure(entries: Iterable[str], whole: bool = False) -> set[Path]:
    """The files of ``entries`` and of all modules of the package that they import.

    whole: with the modules in ``APART``.
    """
    found: set[Path] = set()
    waiting = [path for entry in entries for path in _entry_files(entry, whole)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path, whole)
    return found


@cache
def plain(path: Path) -> bytes:
    """The source in ``path`` without what cannot alter a result; the same in every Python."""
    source = path.read_bytes()
    tree = ast.parse(source)
    lines = source.split(b"\n")
    for first, start, last, end in sorted(_left_out(tree, path), reverse=True):
        lines[first : last + 1] = [lines[first][:start] + lines[last][end:]]
    kept = (line.rstrip() for line in _without_comments(b"\n".join(lines)))
    return b"\n".join(line for line in kept if line) + b"\n"


def _left_out(tree: ast.Module, path: Path) -> Iterator[tuple[int, int, int, int]]:
    """Line and column of start and end of docstrings, looks and lists."""
    lists = _LISTS if path.name == _CATALOG and path.is_relative_to(PACKAGE) else set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            value = first.value if isinstance(first, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield _span(value)
        if isinstance(node, ast.ClassDef):
            yield from (_span(one) for one in node.body if _is_look(one))
        if isinstance(node, ast.Module):
            yield from (_span(one) for one in node.body if _assigned(one) & lists)


def _is_look(node: ast.stmt) -> bool:
    value = getattr(node, "value", None)
    text = value is None or (isinstance(value, ast.Constant) and isinstance(value.value, str))
    return text and bool(_assigned(node) & _LOOKS)


def _assigned(node: ast.stmt) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _span(node: ast.expr | ast.stmt) -> tuple[int, int, int, int]:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return node.lineno - 1, node.col_offset, node.end_lineno - 1, node.end_col_offset


# A string, with the letters that may stand before it, or a comment. Whichever begins first counts.
_TOKEN = re.compile(
    rb"'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\""
    rb"|'(?:\\.|[^\\'\n])*'|\"(?:\\.|[^\\\"\n])*\"|#[^\n]*",
    re.DOTALL,
)


def _without_comments(source: bytes) -> list[bytes]:
    def kept(match: re.Match[bytes]) -> bytes:
        return b"" if match[0].startswith(b"#") else match[0]

    return _TOKEN.sub(kept, source).split(b"\n")


@cache
def _imported(path: Path, whole: bool) -> list[Path]:
    """The files of the package's modules that the module in ``path`` imports."""
    names = _names(ast.parse(path.read_bytes()))
    names |= {module for name in names if (module := _public_module(name))}
    return [file for name in sorted(names) for file in _files_of(name, whole)]


def _names(tree: ast.Module) -> set[str]:
    """What the module uses of others, in dotted words: imports, and attributes of what it imports.

    >>> _names(ast.parse("import graphprune as g; g.score"))
    {'graphprune', 'graphprune.score'}
    """
    bound: dict[str, str] = {}
    attributes: list[ast.Attribute] = []
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and _only_for_types(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                bound[alias.asname or first] = alias.name if alias.asname else first
                bound[alias.name] = alias.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            bound[node.module] = node.module
            for alias in node.names:
                bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Attribute):
            attributes.append(node)
        waiting += ast.iter_child_nodes(node)
    used = {name for node in attributes if (name := _dotted(node, bound))}
    return {*bound.values(), *used}


def _only_for_types(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _dotted(node: ast.expr, bound: Mapping[str, str]) -> str:
    """``node`` in dotted words if it is an attribute of something imported; else an empty text."""
    if isinstance(node, ast.Name):
        return bound.get(node.id, "")
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value, bound)):
        return f"{before}.{node.attr}"
    return ""


def _public_module(name: str) -> str:
    """The module behind the public name ``name`` of a package; empty if there is none."""
    package, _, attribute = name.rpartition(".")
    parts = package.split(".")
    file = PACKAGE.joinpath(*parts[1:], "__init__.py")
    if parts[0] != PACKAGE.name or not file.is_file():
        return ""
    return _public_names(file).get(attribute, "")


@cache
def _public_names(file: Path) -> dict[str, str]:
    names: dict[str, str] = {}
    for node in ast.parse(file.read_bytes()).body:
        if _assigned(node) & _PUBLIC:
            assert isinstance(node, ast.Assign | ast.AnnAssign)
            assert node.value is not None
            names |= ast.literal_eval(node.value)
    return names


def _entry_files(entry: str, whole: bool) -> list[Path]:
    path = Path(entry)
    if path.suffix != ".py" or not path.is_file():
        return _files_of(entry, whole)
    package = path.resolve().parent
    if package.is_relative_to(PACKAGE) or not (package / "__init__.py").is_file():
        return [path.resolve()]
    # an installed plug-in, whose modules import each other
    while (package.parent / "__init__.py").is_file():
        package = package.parent
    return sorted(package.rglob("*.py"))


def _files_of(name: str, whole: bool) -> list[Path]:
    """The files that importing ``name`` of the package runs; none for another package's."""
    parts = name.split(".")
    if parts[0] != PACKAGE.name:
        return []
    files = []
    for length in range(1, len(parts) + 1):
        place = PACKAGE.joinpath(*parts[1:length])
        if not whole and APART.fullmatch(".".join(parts[:length])):
            continue
        for file in (place / "__init__.py", place.with_suffix(".py")):
            if file.is_file():
                files.append(file)
    return files


def place_of(path: Path) -> str:
    """How a file is called in the digest, wherever the checkout lies."""
    if path.is_relative_to(PACKAGE.parent):
        return path.relative_to(PACKAGE.parent).as_posix()
    return path.name
