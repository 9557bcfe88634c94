"""Shortest directed path lengths between two layers, one matrix per class of position pairs.

Between positions s and t the distances of all channel pairs, a ``(channels, channels)`` matrix,
depend only on which taps connect them, directly or through positions in between. In the interior of
a convolution that is the offset t − s; near a border some paths are missing. Pairs that see the
same taps form a class and share a matrix, so memory follows the receptive window and not the map.
Activity of vertices does not block paths: the distances hold for every example.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from numba import njit

from graphprune.neural_graph.structure import Connection, Floats, Ints, NeuralGraph


@dataclass(frozen=True, eq=False)
class DistanceTable:
    """Distances from the vertices of one layer to those of a later one.

    start: ``(source positions + 1,)``; position s reaches ``position[start[s]:start[s + 1]]``.
    position: target positions, ascending for each s; group: the class of the pair.
    matrices: ``(classes, source channels, target channels)``; inf where no path leads.
    """

    start: Ints
    position: Ints
    group: Ints
    matrices: Floats

    def between(self, source: tuple[int, int], target: tuple[int, int]) -> float:
        """Distance between two vertices given as (channel, position)."""
        row = slice(self.start[source[1]], self.start[source[1] + 1])
        hit = np.flatnonzero(self.position[row] == target[1])
        if not len(hit):
            return float("inf")
        return float(self.matrices[self.group[row][hit[0]], source[0], target[0]])


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

    def forget(self, keep: set[int]) -> None:
        """Drop the tables that start at a layer not in ``keep``."""
        self._tables = {key: value for key, value in self._tables.items() if key[0] in keep}

    def table(self, source: int, target: int) -> DistanceTable | None:
        """Distances between two layers; None where no path joins them."""
        key = source, target
        if key not in self._tables:
            self._tables[key] = self._build(source, target) if source < target else None
        return self._tables[key]

    def has_shortcut(self, source: int, target: int) -> bool:
        """Whether an edge between the layers may be longer than the shortest path it joins."""
        ways = sum(c.source == source for c in self._incoming[target])
        others = (c.source for c in self._incoming[target] if c.source != source)
        return ways > 1 or any(self._reaches(source, layer) for layer in others)

    def _reaches(self, source: int, target: int) -> bool:
        return source < target and any(
            c.source == source or self._reaches(source, c.source) for c in self._incoming[target]
        )

    def _build(self, source: int, target: int) -> DistanceTable | None:
        parts = []
        for connection in self._incoming[target]:
            through = None
            if connection.source != source:
                through = self.table(source, connection.source)
                if through is None:
                    continue
            parts.append((connection, through))
        if not parts:
            return None
        rows = [_paths(connection, through) for connection, through in parts]
        layers = self._graph.layers
        pairs, classes, steps = _classify(rows, layers[target].positions)
        shape = classes, layers[source].channels, layers[target].channels
        matrices = np.full(shape, np.inf)
        for (connection, through), (owner, group, tap) in zip(parts, steps, strict=True):
            self._extend(matrices, connection, through, owner, group, tap)
        starts = np.searchsorted(pairs[:, 0], np.arange(layers[source].positions + 1))
        return DistanceTable(starts, pairs[:, 1].copy(), pairs[:, 2].copy(), matrices)

    def _extend(
        self,
        matrices: Floats,
        connection: Connection,
        through: DistanceTable | None,
        owner: Ints,
        group: Ints,
        tap: Ints,
    ) -> None:
        lengths = self._lengths[id(connection)]
        channels = connection.source_channel, connection.target_channel
        if through is None:
            _first_step(matrices, lengths.array, owner, tap, *channels)
            return
        # Steps of one class stay together, so the parts write to different matrices.
        count = 1 if self._pool is None else min(16, 1 + len(owner) // 4)
        cuts = np.searchsorted(owner, np.linspace(0, len(matrices), count + 1).astype(np.int64))
        jobs = [
            (
                *(matrices, through.matrices, lengths.array, lengths.least),
                *(owner[a:b], group[a:b], tap[a:b], *channels),
            )
            for a, b in pairwise(cuts)
        ]
        if self._pool is None:
            for job in jobs:
                _next_step(*job)
        else:
            list(self._pool.map(lambda job: _next_step(*job), jobs))


class _Lengths:
    """1 / |w| of a connection as ``(taps, groups, cin, cout)``, and the least over cout."""

    def __init__(self, connection: Connection) -> None:
        magnitude = np.abs(connection.weight).transpose(3, 0, 2, 1)
        with np.errstate(divide="ignore"):
            self.array = np.ascontiguousarray(1.0 / magnitude)
        self.least = self.array.min(axis=3)


def _paths(connection: Connection, through: DistanceTable | None) -> Ints:
    """Rows (source position, target position, class up to the last step, tap)."""
    pairs = connection.pairs
    if through is None:
        return np.column_stack(
            [pairs[:, 0], pairs[:, 1], np.zeros(len(pairs), np.int64), pairs[:, 2]]
        )
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    first = np.searchsorted(pairs[:, 0], through.position, side="left")
    count = np.searchsorted(pairs[:, 0], through.position, side="right") - first
    begin = np.repeat(np.arange(len(through.start) - 1), np.diff(through.start))
    which = np.repeat(np.arange(len(count)), count)
    offset = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    last = pairs[first[which] + offset]
    return np.column_stack([begin[which], last[:, 1], through.group[which], last[:, 2]])


def _classify(rows: list[Ints], positions: int) -> tuple[Ints, int, list[tuple[Ints, Ints, Ints]]]:
    """Group position pairs that are joined by the same set of (connection, class, tap).

    Returns the pairs ``(n, 3)`` as (s, t, class) in order of (s, t); the number of classes; for
    each connection the steps (class, class up to the last step, tap) of one pair of each class,
    ascending by class.
    """
    part = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    joined = np.concatenate(rows)
    key = joined[:, 0] * positions + joined[:, 1]
    order = np.argsort(key, kind="stable")
    key, joined, part = key[order], joined[order], part[order]
    first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    code = (joined[:, 2] * (1 + joined[:, 3].max()) + joined[:, 3]) * len(rows) + part
    # Two 64-bit sums over the set: equal sets agree, different ones differ but for 1 in 2^128.
    signs = [np.add.reduceat(_scatter(code, salt), first) for salt in (1, 2)]
    _, owner, group = np.unique(np.stack(signs, 1), axis=0, return_index=True, return_inverse=True)
    pairs = np.column_stack([key[first] // positions, key[first] % positions, group.reshape(-1)])
    last = np.r_[first[1:], len(key)]
    spans = [np.arange(first[pair], last[pair]) for pair in owner]
    members = np.concatenate(spans)
    of_class = np.repeat(np.arange(len(owner)), [len(span) for span in spans])
    steps = []
    for index in range(len(rows)):
        mine = part[members] == index
        chosen = joined[members[mine]]
        steps.append((of_class[mine], chosen[:, 2].copy(), chosen[:, 3].copy()))
    return pairs, len(owner), steps


def _scatter(code: Ints, salt: int) -> npt.NDArray[np.uint64]:
    """splitmix64 of ``code``: 64 well mixed bits, ``uint64``."""
    x = code.astype(np.uint64) + np.uint64(salt * 0x9E3779B97F4A7C15 % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(cache=True, nogil=True)
def _first_step(
    out: Floats, lengths: Floats, owner: Ints, tap: Ints, source_channel: int, target_channel: int
) -> None:
    """out[c, i, j] = length of the edge i → j under the steps of class c."""
    _, groups, cin, cout = lengths.shape
    for step in range(len(owner)):
        for g in range(groups):
            for b in range(cin):
                row = out[owner[step], source_channel + g * cin + b]
                edge = lengths[tap[step], g, b]
                first = target_channel + g * cout
                for a in range(cout):
                    row[first + a] = min(row[first + a], edge[a])


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _relax(row: Floats, edge: Floats, first: int, count: int, offset: float) -> None:
    for a in range(count):
        row[first + a] = min(row[first + a], offset + edge[a])


@njit(cache=True, nogil=True)
def _next_step(
    out: Floats, through: Floats, lengths: Floats, least: Floats, owner: Ints, group: Ints,
    tap: Ints, source_channel: int, target_channel: int,
) -> None:  # fmt: skip
    """out[c, i, j] = min over the steps of class c and the channels r of d(i, r) + length(r, j)."""
    _, groups, cin, cout = lengths.shape
    for i in range(out.shape[1]):
        for step in range(len(owner)):
            row = out[owner[step], i]
            before = through[group[step], i]
            for g in range(groups):
                first = target_channel + g * cout
                worst = 0.0
                for a in range(cout):
                    worst = max(worst, row[first + a])
                for b in range(cin):
                    offset = before[source_channel + g * cin + b]
                    if offset + least[tap[step], g, b] < worst:
                        _relax(row, lengths[tap[step], g, b], first, cout, offset)
