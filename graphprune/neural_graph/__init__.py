"""The neural graph of a network: its structure, how it is traced, the values of its vertices.

``structure`` needs numpy alone; the functions that need torch are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from graphprune.neural_graph.structure import Connection, Layer, NeuralGraph

if TYPE_CHECKING:
    from graphprune.neural_graph.tracing import Traced, trace
    from graphprune.neural_graph.vertex_values import values

_LAZY = {
    "Traced": "graphprune.neural_graph.tracing",
    "trace": "graphprune.neural_graph.tracing",
    "values": "graphprune.neural_graph.vertex_values",
}

__all__ = ["Connection", "Layer", "NeuralGraph", "Traced", "trace", "values"]


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'graphprune.neural_graph' has no attribute {name!r}")
