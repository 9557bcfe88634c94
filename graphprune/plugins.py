"""Methods, networks and datasets by name: the built-in ones, and those that plug-ins add.

A plug-in is a Python file (``plugins:`` in the configuration, `load_plugin`) or an installed
package with an entry point in the group ``graphprune.plugins``. Loading it runs its code.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

from graphprune.errors import UserError, one_of, shown

GROUP = "graphprune.plugins"
# a name is part of file names, of addresses and of regular expressions
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
# names of folders and rows that graphprune itself makes in the results
RESERVED = frozenset(
    {"dense", "data", "figures", "logs", "benchmarks", "tracking", "live", "rgp_aspl"}
)
# who holds a catalog; loaded before a plug-in, so that each checks what is its own
_HOLDERS = ("graphprune.methods.catalog", "graphprune.models.catalog", "graphprune.data.catalog")

# what the modules of plug-in files are called; those of installed packages have names of their own
_PREFIX = "graphprune_plugin_"

T = TypeVar("T")
_catalogs: list[Catalog] = []  # type: ignore[type-arg]
# modules of plug-ins by where they come from, in the order they were loaded
_modules: dict[str, ModuleType] = {}
_installed_are_loaded = False


class Catalog(Generic[T]):
    """Entries of one kind by name.

    kind: what an entry is, for messages. builtin: the package's own entries. adopts: for a module
    of a plug-in, the entries in it that do not register themselves, by name (`Method` classes).
    families: by what stands before a colon, a function from what follows it to the entry; it raises
    UserError for a name that the family does not have. Names of families are not listed.
    """

    def __init__(
        self,
        kind: str,
        builtin: Mapping[str, T],
        adopts: Callable[[ModuleType], Mapping[str, T]] | None = None,
        families: Mapping[str, Callable[[str], T]] | None = None,
    ) -> None:
        self.kind = kind
        self._builtin = dict(builtin)
        self._added: dict[str, T] = {}
        self._sources: dict[str, str] = {}
        self._adopts = adopts
        self._families = dict(families or {})
        _catalogs.append(self)

    def __iter__(self) -> Iterator[str]:
        load_installed()
        return iter([*self._builtin, *self._added])

    def __contains__(self, name: object) -> bool:
        if isinstance(name, str) and self.family(name):
            try:
                self[name]
            except UserError:
                return False
            return True
        return name in self._builtin or name in list(self)

    def __getitem__(self, name: str) -> T:
        """The entry ``name``; UserError if there is none."""
        if name in self._builtin:
            return self._builtin[name]
        if family := self.family(name):
            return self._families[family](name.removeprefix(f"{family}:"))
        if name not in self._added:
            load_installed()
        if name not in self._added:
            raise one_of(self.kind, name, self)
        return self._added[name]

    def family(self, name: str) -> str:
        """What stands before the colon of ``name``; empty unless that is a family."""
        family, colon, _ = name.partition(":")
        return family if colon and family in self._families else ""

    def builtin(self) -> list[str]:
        """The names of the package's own entries."""
        return list(self._builtin)

    def source(self, name: str) -> str | None:
        """The file of the plug-in that added ``name``; None for a built-in entry."""
        return self._sources.get(name)

    def add(self, name: str, entry: T, source: str) -> None:
        """Add an entry of a plug-in; UserError for a name that is taken or not allowed."""
        self.check_name(name, source)
        self._added[name], self._sources[name] = entry, source

    def check_name(self, name: str, source: str) -> None:
        """UserError unless ``source`` may add an entry ``name``."""
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in RESERVED:
            raise UserError(
                f"{source}: {self.kind} name is {shown(name)}; allowed: at most 60 lower case "
                "letters, digits and underscores, a letter first, and none of "
                f"{', '.join(sorted(RESERVED))}"
            )
        if name in self._builtin or self._sources.get(name, source) != source:
            taken = self._sources.get(name, "graphprune itself")
            raise UserError(f"{source}: {self.kind} {name} is already defined by {taken}")

    def adopt(self, module: ModuleType, source: str) -> None:
        """Add what ``module`` holds of this kind and does not register by itself."""
        for name, entry in (self._adopts(module) if self._adopts else {}).items():
            self.add(name, entry, source)

    def forget(self, source: str) -> None:
        """Remove the entries that the plug-in ``source`` has added."""
        for name in [name for name, of in self._sources.items() if of == source]:
            del self._added[name], self._sources[name]


def load_plugin(path: str | Path) -> ModuleType:
    """Run the plug-in file ``path`` and add its methods, networks and datasets.

    A file that has not changed is loaded once; one that has changed replaces what it had added.

    Raises UserError: one line naming the file, if it is missing, fails, or adds a name that is
    taken.

    >>> load_plugin("mine.py")
    >>> graphprune.score(model, "mine")
    """
    file = Path(path)
    try:
        if not file.is_file():
            raise UserError(f"plug-in {path}: no such file")
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"plug-in {path}: {error.strerror}") from error
    _load_catalogs()
    source = str(file.resolve())
    name = f"{_PREFIX}{file.stem}_{hashlib.sha256(source.encode()).hexdigest()[:8]}"
    held = sys.modules.get(name)
    if source in _modules and getattr(held, "__content__", None) == content:
        return _modules[source]
    loader = SourceFileLoader(name, source)
    spec = spec_from_loader(name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    module.__content__ = content  # type: ignore[attr-defined]
    _forget(source)
    # dataclasses look their module up
    sys.modules[name] = module
    try:
        # compiled from the very bytes that were read, never from a cached file
        exec(compile(content, source, "exec"), module.__dict__)
        _adopt(module, source)
    except BaseException as error:
        sys.modules.pop(name, None)
        _forget(source)
        named = isinstance(error, UserError) and source in str(error)
        if named or not isinstance(error, Exception | SystemExit):
            raise
        raise UserError(f"plug-in {path}: {_reason(error, source)}") from error
    return module


def loaded() -> list[str]:
    """The files of the plug-ins that are loaded, installed ones included."""
    return list(_modules)


def file_of(catalog: Catalog[T], name: str) -> Path | None:
    """The plug-in file that added ``name``; None if the package or an installed one did."""
    source = catalog.source(name)
    module = _modules.get(source) if source else None
    loaded = module is not None and module.__name__.startswith(_PREFIX)
    return Path(source) if source and loaded else None


@contextmanager
def only_plugins(paths: Iterable[str | Path]) -> Iterator[None]:
    """Within the block there are the built-in entries and those of these files, and no others.

    For the file that a recorded model brings with it: here its name may be that of a newer version.

    Raises UserError as `load_plugin` does.
    """
    load_installed()
    modules = dict(_modules)
    entries = {id(catalog): (catalog._added, catalog._sources) for catalog in _catalogs}
    _modules.clear()
    try:
        for catalog in _catalogs:
            catalog._added, catalog._sources = {}, {}
        for path in paths:
            load_plugin(path)
        yield
    finally:
        _modules.clear()
        _modules.update(modules)
        for catalog in _catalogs:
            catalog._added, catalog._sources = entries[id(catalog)]


def load_plugins(paths: Iterable[str | Path]) -> None:
    """Load the installed plug-ins, and these files in their order."""
    load_installed()
    for path in paths:
        load_plugin(path)


def load_installed() -> None:
    """Load the plug-ins of installed packages, once; UserError names one that does not load."""
    global _installed_are_loaded
    if _installed_are_loaded:
        return
    _load_catalogs()
    # before the loop, for a plug-in may ask for a name while it is loaded
    _installed_are_loaded = True
    for entry in entry_points(group=GROUP):
        try:
            module = entry.load()
            if not isinstance(module, ModuleType):
                raise TypeError(f"{entry.value} is no module")
            _adopt(module, source_of(module))
        except (Exception, SystemExit) as error:
            _installed_are_loaded = False
            if isinstance(error, UserError):
                raise
            raise UserError(
                f"plug-in {entry.name} ({entry.value}): {_reason(error, '')}"
            ) from error


def source_of(thing: object) -> str:
    """The file in which a module, a class or a function of a plug-in is defined."""
    if isinstance(thing, ModuleType):
        return str(Path(thing.__file__ or thing.__name__).resolve())
    if getattr(thing, "__module__", "") == "__main__":
        # a script or a notebook, whose cells may be run again
        return "__main__"
    module = sys.modules.get(getattr(thing, "__module__", ""))
    file = getattr(module, "__file__", None)
    try:
        return str(Path(file or inspect.getfile(thing)).resolve())  # type: ignore[arg-type]
    except (OSError, TypeError):
        return getattr(thing, "__module__", "unknown")


def check_call(what: str, function: Callable[..., object], *arguments: str) -> None:
    """UserError unless ``function`` is one, or a class, and can be called with these arguments."""
    if not (inspect.isfunction(function) or inspect.isclass(function)):
        raise UserError(f"{what} is {shown(function)}; expected a function")
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        wanted = ", ".join(arguments)
        raise UserError(f"{what} cannot be called with ({wanted}): {error}") from error


def _load_catalogs() -> None:
    for name in _HOLDERS:
        import_module(name)


def _adopt(module: ModuleType, source: str) -> None:
    _modules[source] = module
    for catalog in _catalogs:
        catalog.adopt(module, source)


def _forget(source: str) -> None:
    _modules.pop(source, None)
    for catalog in _catalogs:
        catalog.forget(source)


def _reason(error: BaseException, source: str) -> str:
    """The error in one line, with the line of the plug-in's file it came from."""
    line, trace = None, error.__traceback__
    if isinstance(error, SyntaxError):
        line, text = error.lineno, error.msg
    else:
        text = " ".join(str(error).split())[:500]
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == source:
                line = trace.tb_lineno
            trace = trace.tb_next
    place = f"line {line}: " if line else ""
    return f"{place}{type(error).__name__}: {text}" if text else f"{place}{type(error).__name__}"
