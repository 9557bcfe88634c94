"""Graph-based, learned and classical pruning, compared so that the answer can be trusted.

The public surface is loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphprune.compaction.build import compact
    from graphprune.data.catalog import register_dataset
    from graphprune.errors import UserError
    from graphprune.masks import apply, prunable, prune
    from graphprune.methods.base import Method, Result
    from graphprune.methods.scoring import score
    from graphprune.models.catalog import register_model
    from graphprune.plugins import load_plugin
    from graphprune.probmask.projection import project
    from graphprune.regular_graphs.search import regular_graph

__version__ = "0.2.0"

_PUBLIC = {
    "Method": "graphprune.methods.base",
    "Result": "graphprune.methods.base",
    "UserError": "graphprune.errors",
    "apply": "graphprune.masks",
    "compact": "graphprune.compaction.build",
    "load_plugin": "graphprune.plugins",
    "project": "graphprune.probmask.projection",
    "prunable": "graphprune.masks",
    "prune": "graphprune.masks",
    "register_dataset": "graphprune.data.catalog",
    "register_model": "graphprune.models.catalog",
    "regular_graph": "graphprune.regular_graphs.search",
    "score": "graphprune.methods.scoring",
}

__all__ = [
    "Method",
    "Result",
    "UserError",
    "apply",
    "compact",
    "load_plugin",
    "project",
    "prunable",
    "prune",
    "register_dataset",
    "register_model",
    "regular_graph",
    "score",
]


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'graphprune' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
