"""The neural graph written out edge by edge, for networks small enough for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphprune.neural_graph.structure import Connection, Floats, Ints, NeuralGraph


@dataclass(frozen=True, eq=False)
class Edges:
    """Edges as parallel arrays of shape ``(edges,)``; vertices are numbered layer after layer.

    source, target: int64, the two vertices; weight: float64, not 0.
    connection: int64, index into ``NeuralGraph.connections``.
    """

    source: Ints
    target: Ints
    weight: Floats
    connection: Ints

    @property
    def length(self) -> Floats:
        return 1.0 / np.abs(self.weight)


def offsets(graph: NeuralGraph) -> Ints:
    """Number of the first vertex of each layer, and the count of all: int64 ``(layers + 1,)``."""
    return np.cumsum([0, *(layer.size for layer in graph.layers)], dtype=np.int64)


def endpoints(graph: NeuralGraph, connection: Connection) -> tuple[Ints, Ints]:
    """Source and target vertex within their layers, each ``(groups, cout, cin, len(pairs))``."""
    groups, cout, cin, _ = connection.weight.shape
    shape = (groups, cout, cin, len(connection.pairs))
    group = np.arange(groups).reshape(-1, 1, 1, 1)
    out = connection.target_channel + group * cout + np.arange(cout).reshape(1, -1, 1, 1)
    into = connection.source_channel + group * cin + np.arange(cin).reshape(1, 1, -1, 1)
    source = into * graph.layers[connection.source].positions + connection.pairs[:, 0]
    target = out * graph.layers[connection.target].positions + connection.pairs[:, 1]
    return np.broadcast_to(source, shape), np.broadcast_to(target, shape)


def weights(connection: Connection) -> Floats:
    """Weight of each edge, ``(groups, cout, cin, len(pairs))``; 0 where there is none."""
    return connection.weight[..., connection.pairs[:, 2]]


def write_out(graph: NeuralGraph) -> Edges:
    """All edges of weight other than 0, by connection, in the order of ``endpoints``."""
    first = offsets(graph)
    sources: list[Ints] = []
    targets: list[Ints] = []
    values: list[Floats] = []
    counts: list[int] = []
    for connection in graph.connections:
        source, target = endpoints(graph, connection)
        weight = weights(connection)
        exists = weight != 0
        sources.append(source[exists] + first[connection.source])
        targets.append(target[exists] + first[connection.target])
        values.append(weight[exists])
        counts.append(int(exists.sum()))
    return Edges(
        np.concatenate(sources),
        np.concatenate(targets),
        np.concatenate(values),
        np.repeat(np.arange(len(counts)), counts),
    )
