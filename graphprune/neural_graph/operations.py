"""The edges that each supported operation makes: taps, and the position pairs that they join.

Plain numpy. ``assembly`` calls these functions with the settings of the network's modules.
``docs/neural-graph.md`` states the rules in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import prod

import numpy as np

from graphprune.neural_graph.structure import Connection, Floats, Ints


@dataclass(frozen=True, eq=False)
class Branch:
    """A connection whose target layer does not exist yet, with the fields of ``Connection``."""

    source: int
    weight: Floats
    pairs: Ints
    parameter: str | None = None
    parameter_shape: tuple[int, ...] = ()
    source_channel: int = 0
    target_channel: int = 0

    @property
    def channels(self) -> int:
        """Number of target channels."""
        return self.weight.shape[0] * self.weight.shape[1]

    def into(self, target: int) -> Connection:
        """The connection to layer ``target``."""
        return Connection(
            self.source,
            target,
            self.weight,
            self.pairs,
            self.parameter,
            self.parameter_shape,
            self.source_channel,
            self.target_channel,
        )

    def shifted(self, channels: int) -> Branch:
        """The same edges, each to a target channel that is ``channels`` higher (concatenation)."""
        return replace(self, target_channel=self.target_channel + channels)

    def scaled(self, scale: Floats) -> Branch:
        """Every weight times the ``scale`` of its target channel; scale: ``(target channels,)``."""
        groups, cout = self.weight.shape[:2]
        factors = scale[self.target_channel : self.target_channel + groups * cout]
        return replace(self, weight=self.weight * factors.reshape(groups, cout, 1, 1))


def linear(source: int, weight: Floats, positions: int, parameter: str) -> Branch:
    """A linear layer's edges: weight ``(out, in)`` on a flattened map of ``positions``.

    As ``in = channels * positions``, the weight becomes ``(1, out, channels, positions)``: each
    position of the map is a tap.
    """
    out, features = weight.shape
    taps = np.arange(positions)
    return Branch(
        source,
        weight.reshape(1, out, features // positions, positions),
        np.stack([taps, np.zeros_like(taps), taps], axis=1),
        parameter,
        weight.shape,
    )


def convolution(source: int, weight: Floats, groups: int, pairs: Ints, parameter: str) -> Branch:
    """A convolution's edges: weight ``(cout, cin / groups, *kernel)``, pairs from ``windows``."""
    cout, cin = weight.shape[:2]
    grouped = weight.reshape(groups, cout // groups, cin, -1)
    return Branch(source, grouped, pairs, parameter, weight.shape)


def identity(source: int, channels: int, positions: int, source_channel: int = 0) -> Branch:
    """Edges of weight 1 from each vertex to the vertex of the same channel and position."""
    i = np.arange(positions)
    pairs = np.stack([i, i, np.zeros_like(i)], axis=1)
    return Branch(source, np.ones((channels, 1, 1, 1)), pairs, source_channel=source_channel)


def flattening(source: int, channels: int, positions: int) -> Branch:
    """Edges of weight 1 from a map to its flattened vector: (c, i) → channel c * positions + i."""
    if positions == 1:
        return identity(source, channels, 1)
    i = np.arange(positions)
    weight = np.broadcast_to(np.eye(positions)[:, None, :], (channels, positions, 1, positions))
    return Branch(source, weight, np.stack([i, np.zeros_like(i), i], axis=1))


def pooling(source: int, channels: int, pairs: Ints, weights: Floats | None = None) -> Branch:
    """Parameter-free edges inside each channel.

    pairs: ``(n, 2)`` rows (source position, target position).
    weights: ``(n,)`` for average pooling, 1 / window size; None for max pooling, whose weight is 1.
    """
    if weights is None:
        weights = np.ones(len(pairs))
    distinct, taps = np.unique(weights, return_inverse=True)
    weight = np.broadcast_to(distinct, (channels, 1, 1, len(distinct)))
    return Branch(source, weight, np.column_stack([pairs, taps]).astype(np.int64))


def windows(
    source: Sequence[int],
    target: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Ints:
    """Rows (source position, target position, tap) of a sliding window; padding makes no row.

    source, target: size of the two maps; padding: that before the first position. All arguments
    have one entry for each spatial dimension.
    """
    axes = []
    for d, (n, m, k) in enumerate(zip(source, target, kernel, strict=True)):
        t, tap = (grid.ravel() for grid in np.meshgrid(np.arange(m), np.arange(k), indexing="ij"))
        s = t * stride[d] - padding[d] + tap * dilation[d]
        inside = (s >= 0) & (s < n)
        axes.append(np.stack([s, t, tap], axis=1)[inside])
    return _product(axes, [source, target, kernel])


def adaptive_windows(source: Sequence[int], target: Sequence[int]) -> tuple[Ints, Floats]:
    """Rows (source, target) of adaptive pooling and 1 / window size for each row.

    Output i of m over n inputs looks at floor(i n / m) … ceil((i + 1) n / m) − 1.
    """
    axes, sizes = [], []
    for n, m in zip(source, target, strict=True):
        starts = [i * n // m for i in range(m)]
        ends = [-(-(i + 1) * n // m) for i in range(m)]
        rows = [(s, i) for i in range(m) for s in range(starts[i], ends[i])]
        axes.append(np.array(rows, dtype=np.int64))
        sizes.append(np.array(ends) - np.array(starts))
    pairs = _product(axes, [source, target])
    return pairs, np.asarray(1.0 / _outer(sizes)[pairs[:, 1]])


def average_weights(
    pairs: Ints,
    source: Sequence[int],
    target: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    count_padding: bool,
    divisor: int | None,
) -> Floats:
    """1 / divisor of average pooling for each row of ``pairs``, the divisor being torch's.

    It is ``divisor`` if that is given. Otherwise it is the number of positions in the window: with
    ``count_padding`` including padded ones (but not those that ``ceil_mode`` adds beyond the
    padding), without it only those on the map.
    """
    if divisor is not None:
        return np.full(len(pairs), 1.0 / divisor)
    if not count_padding:
        counts = np.bincount(pairs[:, 1], minlength=prod(target))
        return np.asarray(1.0 / counts[pairs[:, 1]])
    sizes = []
    for d, (n, m) in enumerate(zip(source, target, strict=True)):
        start = np.arange(m) * stride[d] - padding[d]
        sizes.append(np.minimum(start + kernel[d], n + padding[d]) - start)
    return np.asarray(1.0 / _outer(sizes)[pairs[:, 1]])


def _outer(sizes: list[Ints]) -> Ints:
    """Products of one size from each axis, in row-major order."""
    product: Ints = reduce(np.multiply.outer, sizes).ravel()
    return product


def _product(axes: list[Ints], extents: list[Sequence[int]]) -> Ints:
    """Rows for all combinations of one row from each axis, with row-major positions and taps.

    extents: the sizes by which each column is numbered. Rows are sorted by (target, source).
    """
    rows = axes[0]
    for d in range(1, len(axes)):
        scale = np.array([extent[d] for extent in extents])
        rows = (rows[:, None, :] * scale + axes[d][None, :, :]).reshape(-1, len(extents))
    ordered: Ints = rows[np.lexsort((rows[:, 0], rows[:, 1]))].astype(np.int64)
    return ordered
