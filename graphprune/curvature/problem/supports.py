"""Supports of the measures p and q: which neighbours carry mass, and how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from graphprune.curvature.definitions import UNDERFLOW
from graphprune.neural_graph.structure import Connection, Floats, Ints, NeuralGraph


@dataclass(frozen=True, eq=False)
class Neighbours:
    """In- or out-neighbours of the vertices of one layer.

    Channels with the same neighbours at every position form a class: all channels of a dense
    convolution, those of one group of a grouped one, each channel alone before or behind a pooling
    or an identity.

    layers: the layers in which the neighbours lie; the index of a layer here is its *slot*.
    classes: ``(channels,)`` class of each channel.
    start: ``(classes * positions + 1,)``; the neighbours of row ``class * positions + position``
        are ``start[row]:start[row + 1]`` of ``slot``, ``position`` and ``channel``, ascending.
    """

    layers: tuple[int, ...]
    classes: Ints
    start: Ints
    slot: npt.NDArray[np.int32]
    position: npt.NDArray[np.int32]
    channel: npt.NDArray[np.int32]

    @property
    def count(self) -> int:
        """Number of classes."""
        return int(self.classes.max()) + 1


def neighbours_of(graph: NeuralGraph, index: int, inward: bool) -> Neighbours:
    """In-neighbours (``inward``) or out-neighbours of the vertices of layer ``index``."""
    connections = graph.incoming(index) if inward else graph.outgoing(index)
    views = [_View(connection, inward) for connection in connections]
    layer = graph.layers[index]
    classes, representatives = _classes(views, layer.channels)
    layers = tuple(sorted({view.layer for view in views}))
    members = [
        _members(view, layers.index(view.layer), number, channel, layer.positions)
        for number, channel in enumerate(representatives)
        for view in views
        if view.first_near <= channel < view.first_near + view.near_channels
    ]
    rows = np.concatenate([np.empty((0, 4), np.int64), *members])
    rows = rows[np.lexsort(rows.T[::-1])]
    if len(views) > len(layers) and len(rows):  # two operations may join the same vertices
        rows = rows[np.r_[True, (rows[1:] != rows[:-1]).any(axis=1)]]
    start = np.searchsorted(rows[:, 0], np.arange(len(representatives) * layer.positions + 1))
    columns = [np.ascontiguousarray(rows[:, i], dtype=np.int32) for i in (1, 2, 3)]
    return Neighbours(layers, classes, start, *columns)


class _View:
    """A connection seen from one of its two layers, the near one; the other is the far one.

    layer: the far layer.
    pairs: rows (near position, far position, tap).
    exists: ``(groups, near channels, far channels, taps)`` whether the weight is not 0.
    first_near, first_far: the connection's first channel in either layer.
    """

    def __init__(self, connection: Connection, inward: bool) -> None:
        exists = connection.weight != 0
        columns = (1, 0, 2) if inward else (0, 1, 2)
        self.pairs = connection.pairs[:, columns]
        self.layer = connection.source if inward else connection.target
        self.exists = exists if inward else exists.transpose(0, 2, 1, 3)
        ends = connection.target_channel, connection.source_channel
        self.first_near, self.first_far = ends if inward else ends[::-1]
        self.near_channels = self.exists.shape[0] * self.exists.shape[1]
        self.dense = bool(exists.all())

    def key(self, channel: int) -> tuple[int, bytes] | None:
        """Equal for near channels with the same neighbours; None outside the connection."""
        local = channel - self.first_near
        if not 0 <= local < self.near_channels:
            return None
        group, row = divmod(local, self.exists.shape[1])
        return group, b"" if self.dense else self.exists[group, row].tobytes()


def _classes(views: list[_View], channels: int) -> tuple[Ints, list[int]]:
    """Class of each channel, ``(channels,)``, and one channel of each class."""
    known: dict[tuple[tuple[int, bytes] | None, ...], int] = {}
    representatives: list[int] = []
    classes = np.empty(channels, np.int64)
    for channel in range(channels):
        key = tuple(view.key(channel) for view in views)
        if key not in known:
            known[key] = len(known)
            representatives.append(channel)
        classes[channel] = known[key]
    return classes, representatives


def _members(view: _View, slot: int, number: int, channel: int, positions: int) -> Ints:
    """Neighbours of class ``number``, to which ``channel`` belongs.

    Rows (number * positions + near position, slot, far position, far channel).
    """
    group, row = divmod(channel - view.first_near, view.exists.shape[1])
    exists = view.exists[group, row]  # (far channels, taps)
    first = view.first_far + group * len(exists)
    pair, far = np.nonzero(exists[:, view.pairs[:, 2]].T)
    chosen = view.pairs[pair]
    rows = np.empty((len(pair), 4), np.int64)
    rows[:, 0] = number * positions + chosen[:, 0]
    rows[:, 1] = slot
    rows[:, 2] = chosen[:, 1]
    rows[:, 3] = first + far
    return rows


@dataclass(frozen=True, eq=False)
class Supports:
    """p or q of every class and position for one or more examples, tiny masses left out.

    start: ``(examples * rows + 1,)``, rows as in ``Neighbours``; the support of a row is
        ``start[row]:start[row + 1]`` of ``slot``, ``position``, ``channel`` and ``mass``.
    dropped: the greatest mass left out of one measure.
    """

    start: Ints
    slot: npt.NDArray[np.int32]
    position: npt.NDArray[np.int32]
    channel: npt.NDArray[np.int32]
    mass: Floats
    dropped: float

    @property
    def largest(self) -> int:
        """Size of the largest support."""
        return int(np.diff(self.start).max(initial=0))


def supports_of(
    neighbours: Neighbours, graph: NeuralGraph, values: list[Floats], negligible: float
) -> Supports:
    """Masses of the active neighbours, without those that together weigh at most ``negligible``.

    values: one ``(examples, size)`` a layer.
    """
    examples = len(values[0])
    rows = len(neighbours.start) - 1
    kept, masses, counts = [], [], np.zeros((examples, rows), np.int64)
    positions = [graph.layers[layer].positions for layer in neighbours.layers]
    sizes = np.array([0, *[graph.layers[layer].size for layer in neighbours.layers]])
    offset = np.cumsum(sizes)[:-1] if positions else np.zeros(0, np.int64)
    slot = neighbours.slot
    vertex = np.zeros(0, np.int64)
    if positions:
        vertex = offset[slot] + neighbours.channel * np.array(positions)[slot] + neighbours.position
    dropped = 0.0
    for example in range(examples):
        a = np.concatenate([np.zeros(0), *[values[layer][example] for layer in neighbours.layers]])
        keep = np.empty(len(vertex), np.int64)
        mass = np.empty(len(vertex))
        used, lost = _weigh(
            a, vertex, neighbours.start, negligible, UNDERFLOW, counts[example], keep, mass
        )
        dropped = max(dropped, lost)
        kept.append(keep[:used].copy())
        masses.append(mass[:used].copy())
    chosen = np.concatenate(kept)
    start = np.concatenate([[0], np.cumsum(counts.reshape(-1))])
    return Supports(
        start,
        slot[chosen],
        neighbours.position[chosen],
        neighbours.channel[chosen],
        np.concatenate(masses),
        dropped,
    )


@njit(cache=True, nogil=True)
def _weigh(
    values: Floats, vertex: Ints, start: Ints, negligible: float, underflow: float, counts: Ints,
    keep: Ints, mass: Floats,
) -> tuple[int, float]:  # fmt: skip
    """Write the kept entries and their masses, row by row, and each row's number into ``counts``.

    values: of all vertices that are a neighbour; vertex: of each entry, an index into values.
    Returns how many entries were kept, and the greatest mass left out of one row.
    """
    used, lost = 0, 0.0
    for row in range(len(start) - 1):
        total, active = 0.0, 0
        for entry in range(start[row], start[row + 1]):
            a = values[vertex[entry]]
            if a > 0.0:
                active += 1
                total += np.exp(-1.0 / (a * a))
        if active == 0:
            continue
        uniform = total <= underflow
        least = 0.0 if uniform else negligible * total / active
        first, gone, left = used, 0.0, 0.0
        for entry in range(start[row], start[row + 1]):
            a = values[vertex[entry]]
            if a > 0.0:
                attraction = 1.0 if uniform else np.exp(-1.0 / (a * a))
                if attraction > least:
                    keep[used], mass[used] = entry, attraction
                    used += 1
                    left += attraction
                else:
                    gone += attraction
        for entry in range(first, used):
            mass[entry] /= left
        counts[row] = used - first
        lost = max(lost, gone / (left + gone))
    return used, lost
