"""Digests of source code: they change where a result may change, and only there.

The digest of a stage covers its script, the modules that the script imports, and those that these
import, also inside functions. Comments, docstrings, blank lines, imports of types and the looks of
methods do not count, and neither do the modules in ``APART``, which decide no number.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
SCRIPTS = PACKAGE.parent / "workflow" / "scripts"

# They say what is wrong, where files lie, what is planned or recorded; no number comes from them.
APART = re.compile(
    r"graphprune|graphprune\.(check|errors|files|layout|options|plugins|precompile|serving"
    r"|training\.live|configuration|jobs|provenance|tracking)(\..*)?"
)
# names in methods that are about figures and pages, and the lists of all entries: what an entry
# says is in the recipe of those who use it
_LOOKS = {"title", "colour", "marker", "paper"}
_LISTS = {"BUILTIN", "MODELS", "DATASETS"}


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
    for path in sorted(closure(entries, whole), key=place_of):
        sha.update(f"{place_of(path)}\n".encode())
        sha.update(plain(path))
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
    for first, start, last, end in sorted(_left_out(tree), reverse=True):
        lines[first : last + 1] = [lines[first][:start] + lines[last][end:]]
    kept = (line.rstrip() for line in _without_comments(b"\n".join(lines)))
    return b"\n".join(line for line in kept if line) + b"\n"


def _left_out(tree: ast.Module) -> Iterator[tuple[int, int, int, int]]:
    """Line and column of start and end of docstrings, looks and lists."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            value = first.value if isinstance(first, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield _span(value)
        if isinstance(node, ast.ClassDef):
            yield from (_span(one) for one in node.body if _assigned(one) & _LOOKS)
        if isinstance(node, ast.Module):
            yield from (_span(one) for one in node.body if _assigned(one) & _LISTS)


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
    tree = ast.parse(path.read_bytes())
    names: set[str] = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        waiting += ast.iter_child_nodes(node)
    return [file for name in sorted(names) for file in _files_of(name, whole)]


def _entry_files(entry: str, whole: bool) -> list[Path]:
    path = Path(entry)
    if path.suffix == ".py" and path.is_file():
        return [path.resolve()]
    return _files_of(entry, whole)


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
