"""The pruning methods by name. A built-in one is a file in this folder and a line in ``BUILTIN``.

Nothing here, and no method's module, imports torch: the workflow reads them while it plans.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import get_args

from graphprune.errors import UserError, one_of
from graphprune.methods.base import Examples, Method
from graphprune.options import Section, section_of
from graphprune.plugins import Catalog, source_of

# name -> "module:class"; figures draw the methods in this order
BUILTIN = {
    "magnitude": "graphprune.methods.magnitude:Magnitude",
    "random": "graphprune.methods.random:Random",
    "curvature": "graphprune.methods.curvature:Curvature",
    "rgp": "graphprune.methods.rgp:RGP",
    "probmask": "graphprune.methods.probmask:ProbMask",
    "snip": "graphprune.methods.snip:SNIP",
}
# class attributes that a method may set, and the type of each
ATTRIBUTES = {
    "name": str,
    "paper": str,
    "title": str,
    "colour": str,
    "marker": str,
    "examples": str,
    "per_sparsity": bool,
    "decides_mask": bool,
    "seeded": bool,
    "divisible": bool,
    "figures": tuple,
    "graph_options": tuple,
}
FIGURES = ("removal_curves", "probabilities", "regular_graph")
# options that the neural graph's curvature has
GRAPH_OPTIONS = ("alpha", "fold_batchnorm", "edge_length")


def _methods_in(module: ModuleType) -> dict[str, str | type[Method]]:
    """The methods that the module of a plug-in defines, by name."""
    found: dict[str, str | type[Method]] = {}
    for thing in vars(module).values():
        if (
            isinstance(thing, type)
            and issubclass(thing, Method)
            # of a package also what its modules define
            and f"{thing.__module__}.".startswith(f"{module.__name__}.")
            and not thing.__name__.startswith("_")
        ):
            if wrong := faults(thing):
                raise UserError(f"{source_of(thing)}: {thing.__name__}: {wrong[0]}")
            if thing.name in found:
                raise UserError(f"{source_of(thing)}: method {thing.name} is defined twice")
            found[thing.name] = thing
    return found


METHODS: Catalog[str | type[Method]] = Catalog("method", BUILTIN, _methods_in)


def method_class(name: str) -> type[Method]:
    """The class of the method called ``name``; UserError if there is none."""
    entry = METHODS[name]
    if isinstance(entry, type):
        return entry
    module, _, attribute = entry.partition(":")
    cls: type[Method] = getattr(import_module(module), attribute)
    return cls


def classes() -> Iterator[type[Method]]:
    """The classes of all methods, the built-in ones first."""
    return map(method_class, METHODS)


def build(name: str, **options: object) -> Method:
    """The method called ``name`` with its hyperparameters set from ``options``.

    Raises UserError for an unknown method or option, and for a value that is not allowed.

    >>> build("random", seed=3)
    Random(seed=3)
    """
    cls = method_class(name)
    known = [field.name for field in fields(cls)]
    for option in options:
        if option not in known:
            raise one_of(f"option of method {name}", option, known)
    try:
        return cls(**options)
    except UserError as error:
        raise UserError(f"method {name}: {error}") from error


def has_option(cls: type[Method], option: str) -> bool:
    """Whether the method has a field of that name."""
    return option in {field.name for field in fields(cls)}


def options_in_job(
    name: str, options: Mapping[str, object], seed: int, threads: int
) -> dict[str, object]:
    """``options`` and what the workflow sets of the method's other fields, but the sparsity."""
    offered = {"seed": seed, "threads": threads}
    cls = method_class(name)
    return {**options, **{key: value for key, value in offered.items() if has_option(cls, key)}}


def faults(cls: type[Method]) -> list[str]:
    """What is wrong with the class of a method, a sentence each; empty if it can be used."""
    wrong = []
    if inspect.isabstract(cls):
        wrong.append(f"has no method {', '.join(sorted(cls.__abstractmethods__))}")
    try:
        inspect.signature(cls.run).bind("self", "model", "inputs", "targets")
    except TypeError:
        wrong.append("run cannot be called with (model, inputs, targets)")
    if cls.divisible and (cls.run_part is Method.run_part or "gather" not in dir(cls)):
        wrong.append("class attribute divisible is True, but there is no run_part and gather")
    for name in ("name", "paper"):
        if not isinstance(getattr(cls, name, None), str):
            wrong.append(f"class attribute {name} is missing; it is a text")
    if "__dataclass_fields__" not in vars(cls) or not is_dataclass(cls):
        return [*wrong, "is no dataclass; write @dataclass(frozen=True) above the class"]
    if not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        wrong.append("is a dataclass that is not frozen; write @dataclass(frozen=True)")
    return wrong + _wrong_attributes(cls) + _wrong_fields(cls)


def _wrong_attributes(cls: type[Method]) -> list[str]:
    wrong = []
    own = {field.name for field in fields(cls)}
    for name, value in vars(cls).items():
        plain = not (name.startswith("_") or callable(value) or name in own)
        described = isinstance(value, property | cached_property | classmethod | staticmethod)
        if plain and not described and name not in ATTRIBUTES:
            allowed = ", ".join(sorted(ATTRIBUTES))
            wrong.append(f"class attribute {name} is unknown; allowed: {allowed}")
    for name, kind in ATTRIBUTES.items():
        value = getattr(cls, name, None)
        if value is not None and not isinstance(value, kind):
            wrong.append(f"class attribute {name} is {value!r}; allowed: a {kind.__name__}")
    if cls.examples not in get_args(Examples):
        wrong.append(str(one_of("class attribute examples", cls.examples, get_args(Examples))))
    wrong += _wrong_look(cls)
    if isinstance(cls.figures, tuple):
        if "regular_graph" in cls.figures:
            wrong += _no_regular_graph(cls)
        if odd := [figure for figure in cls.figures if figure not in FIGURES]:
            wrong.append(str(one_of("class attribute figures", odd[0], FIGURES)))
        if cls.per_sparsity and "removal_curves" in cls.figures:
            wrong.append(
                "class attribute figures has removal_curves, which needs one ranking for all "
                "ratios, but per_sparsity is True"
            )
    known = [option for option in GRAPH_OPTIONS if option in own]
    if isinstance(cls.graph_options, tuple):
        for option in cls.graph_options:
            if option not in known:
                wrong.append(
                    f"class attribute graph_options names {option!r}; allowed: fields of the "
                    f"method out of {', '.join(GRAPH_OPTIONS)}"
                )
    return wrong


def _no_regular_graph(cls: type[Method]) -> list[str]:
    """What the class lacks of what the figure of its regular graph is made from."""
    needed = {
        "per_sparsity = True": cls.per_sparsity,
        "seeded = True": cls.seeded,
        "a method graph(nodes, degree)": hasattr(cls, "graph"),
    }
    return [f"figure regular_graph needs {what}" for what, there in needed.items() if not there]


def _wrong_look(cls: type[Method]) -> list[str]:
    """A colour or marker that matplotlib does not know; it is imported only where one is given."""
    wrong = []
    if cls.colour or cls.marker:
        from matplotlib.colors import is_color_like
        from matplotlib.markers import MarkerStyle

        if cls.colour and not is_color_like(cls.colour):
            wrong.append(f"class attribute colour is {cls.colour!r}; allowed: matplotlib's colours")
        if cls.marker and cls.marker not in MarkerStyle.markers:
            wrong.append(f"class attribute marker is {cls.marker!r}; allowed: matplotlib's markers")
    return wrong


def _wrong_fields(cls: type[Method]) -> list[str]:
    wrong = []
    for field in fields(cls):
        if field.default is MISSING and field.default_factory is MISSING:
            wrong.append(f"field {field.name} has no default; every option has one")
        if field.name in ("method", "scope", "regimes"):
            wrong.append(f"field {field.name} is called like a key that every method has")
        if field.name in ATTRIBUTES:
            wrong.append(f"{field.name} is a class attribute; annotate it with ClassVar")
        if field.name.startswith("_") or hasattr(Section, field.name):
            wrong.append(f"field {field.name} has a name that pydantic keeps; choose another")
    for attribute, option in (("seeded", "seed"), ("per_sparsity", "sparsity")):
        if getattr(cls, attribute) and not has_option(cls, option):
            wrong.append(f"class attribute {attribute} is True, but there is no field {option}")
    if has_option(cls, "sparsity") and not cls.per_sparsity:
        wrong.append("field sparsity is there, but class attribute per_sparsity is False")
    if not wrong and not inspect.isabstract(cls):
        try:
            section_of(cls)
            cls()
        except UserError as error:
            wrong.append(str(error))
    return wrong
