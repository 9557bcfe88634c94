"""The neural graph of a network: its structure, how it is traced, the values of its vertices.

- ``structure``: layers and connections; numpy alone. All other modules use it.
- ``tracing``: ``trace``, from a ``torch.nn.Module`` to its graph. It hands each operation of the
  network to ``assembly``, which asks ``settings`` what the operation is and ``operations`` for the
  edges it makes.
- ``vertex_values``: ``values``, the scaled activations of given examples.
- ``calibration``: chooses examples and stores every layer's values for them.
- ``edges``: the graph written out edge by edge. ``export``: the same for graph-tool, and drawings.

What needs torch is loaded on first use. The rules are in ``docs/neural-graph.md``.
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
