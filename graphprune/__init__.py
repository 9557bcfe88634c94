"""Graph-based, learned and classical pruning, compared so that the answer can be trusted.

The public surface is loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphprune.compaction.build import compact
    from graphprune.masks import apply, prune
    from graphprune.probmask.projection import project
    from graphprune.regular_graphs.search import regular_graph
    from graphprune.scoring import score

__version__ = "0.1.0"

_PUBLIC = {
    "apply": "graphprune.masks",
    "compact": "graphprune.compaction.build",
    "project": "graphprune.probmask.projection",
    "prune": "graphprune.masks",
    "regular_graph": "graphprune.regular_graphs.search",
    "score": "graphprune.scoring",
}

__all__ = ["apply", "compact", "project", "prune", "regular_graph", "score"]


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'graphprune' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
