"""The pruning methods by name. Adding one: a file here, a test, a line in ``MODULES``."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module

from graphprune.errors import UserError, one_of
from graphprune.methods.base import Method, Result, Scores

# name -> (module, class); a method's module is imported only when it is used
MODULES: dict[str, tuple[str, str]] = {
    "magnitude": ("graphprune.methods.magnitude", "Magnitude"),
    "random": ("graphprune.methods.random", "Random"),
    "curvature": ("graphprune.methods.curvature", "Curvature"),
    "rgp": ("graphprune.methods.rgp", "RGP"),
    "probmask": ("graphprune.methods.probmask", "ProbMask"),
}

# methods whose result depends on the wanted sparsity, known without importing them
PER_SPARSITY = frozenset({"rgp", "probmask"})


def method_class(name: str) -> type[Method]:
    """The class of the method called ``name``; UserError if there is none."""
    if name not in MODULES:
        raise one_of("method", name, MODULES)
    module, attribute = MODULES[name]
    cls: type[Method] = getattr(import_module(module), attribute)
    return cls


def build(name: str, **options: object) -> Method:
    """The method called ``name`` with its hyperparameters set from ``options``.

    >>> build("random", seed=3)
    Random(seed=3)
    """
    cls = method_class(name)
    known = {field.name for field in fields(cls)}
    for option in options:
        if option not in known:
            raise one_of(f"option of method {name}", option, known)
    return cls(**options)


__all__ = [
    "MODULES",
    "PER_SPARSITY",
    "Method",
    "Result",
    "Scores",
    "UserError",
    "build",
    "method_class",
]
