"""Shortest directed path lengths between two layers, one matrix for each class of position pairs.

Between positions s and t the distances of all channel pairs, a ``(channels, channels)`` matrix,
depend only on the taps that join s to t, directly or through positions in between. In the interior
of a convolution these depend on t − s alone; near a border some of them are missing. Position pairs
joined by the same taps form a *pair class* and share a matrix, so memory grows with the receptive
window and not with the map. A path may lead through inactive vertices, so the distances are the
same for every example.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from graphprune.neural_graph.structure import Connection, Floats, Ints, NeuralGraph


@dataclass(frozen=True, eq=False)
class DistanceTable:
    """Distances from the vertices of one layer to those of a later one.

    start: ``(source positions + 1,)``; position s reaches ``position[start[s]:start[s + 1]]``.
    position: target positions, ascending for each s; pair_class: the class of each such pair.
    matrices: ``(pair classes, source channels, target channels)``; inf where no path leads.
    """

    start: Ints
    position: Ints
    pair_class: Ints
    matrices: Floats

    def between(self, source: tuple[int, int], target: tuple[int, int]) -> float:
        """Distance between two vertices given as (channel, position)."""
        row = slice(self.start[source[1]], self.start[source[1] + 1])
        match = np.flatnonzero(self.position[row] == target[1])
        if not len(match):
            return float("inf")
        return float(self.matrices[self.pair_class[row][match[0]], source[0], target[0]])


class Distances:
    """Distance tables of a graph, made when first asked for.

    >>> table = Distances(graph).table(0, 3)
    """

    def __init__(self, graph: NeuralGraph, pool: ThreadPoolExecutor | None = None) -> None:
        self._graph = graph
        self._pool = pool
        self._tables: dict[tuple[int, int], DistanceTable | None] = {}
        self._lengths = {id(c): _Lengths(c) for c in graph.connections}
        self._incoming = [graph.incoming(layer) for layer in range(len(graph.layers))]

    def keep_only(self, sources: set[int]) -> None:
        """Drop the tables whose source layer is not in ``sources``."""
        self._tables = {key: value for key, value in self._tables.items() if key[0] in sources}

    def table(self, source: int, target: int) -> DistanceTable | None:
        """Distances between two layers; None where no path joins them."""
        key = source, target
        if key not in self._tables:
            self._tables[key] = self._build(source, target) if source < target else None
        return self._tables[key]

    def has_shortcut(self, source: int, target: int) -> bool:
        """Whether some edge between the layers may be longer than another path between its ends."""
        joining = sum(c.source == source for c in self._incoming[target])
        others = (c.source for c in self._incoming[target] if c.source != source)
        return joining > 1 or any(self._reaches(source, layer) for layer in others)

    def _reaches(self, source: int, target: int) -> bool:
        return source < target and any(
            c.source == source or self._reaches(source, c.source) for c in self._incoming[target]
        )

    def _build(self, source: int, target: int) -> DistanceTable | None:
        last: list[tuple[Connection, DistanceTable | None]] = []
        for connection in self._incoming[target]:
            before = None
            if connection.source != source:
                before = self.table(source, connection.source)
                if before is None:
                    continue
            last.append((connection, before))
        if not last:
            return None
        rows = [_paths(connection, before) for connection, before in last]
        layers = self._graph.layers
        pairs, classes, steps = _classify(rows, layers[target].positions)
        shape = classes, layers[source].channels, layers[target].channels
        matrices = np.full(shape, np.inf)
        for (connection, before), of_connection in zip(last, steps, strict=True):
            self._extend(matrices, connection, before, of_connection)
        starts = np.searchsorted(pairs[:, 0], np.arange(layers[source].positions + 1))
        return DistanceTable(starts, pairs[:, 1].copy(), pairs[:, 2].copy(), matrices)

    def _extend(
        self,
        matrices: Floats,
        connection: Connection,
        before: DistanceTable | None,
        steps: _LastSteps,
    ) -> None:
        """Lower ``matrices`` to the paths whose last step is one of ``steps``."""
        lengths = self._lengths[id(connection)]
        channels = connection.source_channel, connection.target_channel
        if before is None:
            _first_step(matrices, lengths.array, steps.pair_class, steps.tap, *channels)
            return
        # The steps of one pair class stay together, so that jobs write to different matrices.
        classes = steps.pair_class
        count = 1 if self._pool is None else min(16, 1 + len(classes) // 4)
        cuts = np.searchsorted(classes, np.linspace(0, len(matrices), count + 1).astype(np.int64))
        jobs = [
            (
                *(matrices, before.matrices, lengths.array, lengths.least),
                *(classes[i:j], steps.class_before[i:j], steps.tap[i:j], *channels),
            )
            for i, j in pairwise(cuts)
        ]
        if self._pool is None:
            for job in jobs:
                _next_step(*job)
        else:
            list(self._pool.map(lambda job: _next_step(*job), jobs))


class _LastSteps(NamedTuple):
    """Last steps of paths, all over one connection: parallel arrays, ascending by pair class.

    pair_class: class of (source position, target position), the two ends of the path.
    class_before: class of (source position, position before the last step).
    tap: tap of the last step.
    """

    pair_class: Ints
    class_before: Ints
    tap: Ints


class _Lengths:
    """1 / |w| of a connection as ``(taps, groups, cin, cout)``, and the least over cout."""

    def __init__(self, connection: Connection) -> None:
        magnitude = np.abs(connection.weight).transpose(3, 0, 2, 1)
        with np.errstate(divide="ignore"):
            self.array = np.ascontiguousarray(1.0 / magnitude)
        self.least = self.array.min(axis=3)


def _paths(connection: Connection, before: DistanceTable | None) -> Ints:
    """Rows (source position, target position, class before the last step, tap of that step)."""
    pairs = connection.pairs
    if before is None:
        return np.column_stack(
            [pairs[:, 0], pairs[:, 1], np.zeros(len(pairs), np.int64), pairs[:, 2]]
        )
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    first = np.searchsorted(pairs[:, 0], before.position, side="left")
    count = np.searchsorted(pairs[:, 0], before.position, side="right") - first
    source = np.repeat(np.arange(len(before.start) - 1), np.diff(before.start))
    path = np.repeat(np.arange(len(count)), count)
    offset = np.arange(len(path)) - np.repeat(np.cumsum(count) - count, count)
    last = pairs[first[path] + offset]
    return np.column_stack([source[path], last[:, 1], before.pair_class[path], last[:, 2]])


def _classify(rows: list[Ints], positions: int) -> tuple[Ints, int, list[_LastSteps]]:
    """Sort position pairs into classes joined by the same set of (connection, class before, tap).

    rows: for each connection those of ``_paths``; positions: number of target positions.
    Returns the pairs ``(n, 3)`` as (s, t, pair class) in order of (s, t); the number of classes;
    for each connection its last steps.
    """
    connection = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    joined = np.concatenate(rows)
    key = joined[:, 0] * positions + joined[:, 1]
    order = np.argsort(key, kind="stable")
    key, joined, connection = key[order], joined[order], connection[order]
    first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    code = (joined[:, 2] * (1 + joined[:, 3].max()) + joined[:, 3]) * len(rows) + connection
    # Two 64-bit sums over each set: equal sets have equal sums, and different sets have different
    # ones except with a probability of about 2^−128.
    sums = [np.add.reduceat(_scatter(code, salt), first) for salt in (1, 2)]
    _, example, pair_class = np.unique(
        np.stack(sums, 1), axis=0, return_index=True, return_inverse=True
    )
    columns = key[first] // positions, key[first] % positions, pair_class.reshape(-1)
    last = np.r_[first[1:], len(key)]
    spans = [np.arange(first[pair], last[pair]) for pair in example]
    members = np.concatenate(spans)
    of_class = np.repeat(np.arange(len(example)), [len(span) for span in spans])
    steps = []
    for index in range(len(rows)):
        taken = connection[members] == index
        chosen = joined[members[taken]]
        steps.append(_LastSteps(of_class[taken], chosen[:, 2].copy(), chosen[:, 3].copy()))
    return np.column_stack(columns), len(example), steps


def _scatter(code: Ints, salt: int) -> npt.NDArray[np.uint64]:
    """splitmix64 of ``code``: 64 well mixed bits, ``uint64``."""
    x = code.astype(np.uint64) + np.uint64(salt * 0x9E3779B97F4A7C15 % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(cache=True, nogil=True)
def _first_step(
    out: Floats, lengths: Floats, pair_class: Ints, tap: Ints, source_channel: int,
    target_channel: int,
) -> None:  # fmt: skip
    """out[c, i, j] = length of the edge i → j under the steps of pair class c."""
    _, groups, cin, cout = lengths.shape
    for step in range(len(pair_class)):
        for g in range(groups):
            for b in range(cin):
                row = out[pair_class[step], source_channel + g * cin + b]
                edge = lengths[tap[step], g, b]
                first = target_channel + g * cout
                for a in range(cout):
                    row[first + a] = min(row[first + a], edge[a])


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _relax(row: Floats, edge: Floats, first: int, count: int, offset: float) -> None:
    """Lower ``count`` entries of ``row``, from ``first`` on, to offset + edge."""
    for a in range(count):
        row[first + a] = min(row[first + a], offset + edge[a])


@njit(cache=True, nogil=True)
def _next_step(
    out: Floats, before: Floats, lengths: Floats, least: Floats, pair_class: Ints,
    class_before: Ints, tap: Ints, source_channel: int, target_channel: int,
) -> None:  # fmt: skip
    """out[c, i, j] = min of d(i, r) + length(r, j) over the channels r and the steps of class c.

    before: the matrices that hold d(i, r), by ``class_before``.
    """
    _, groups, cin, cout = lengths.shape
    for i in range(out.shape[1]):
        for step in range(len(pair_class)):
            row = out[pair_class[step], i]
            distance = before[class_before[step], i]
            for g in range(groups):
                first = target_channel + g * cout
                worst = 0.0
                for a in range(cout):
                    worst = max(worst, row[first + a])
                for b in range(cin):
                    offset = distance[source_channel + g * cin + b]
                    if offset + least[tap[step], g, b] < worst:
                        _relax(row, lengths[tap[step], g, b], first, cout, offset)
