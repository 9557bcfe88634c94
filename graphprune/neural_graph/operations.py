"""How each supported operation enters the graph: taps and the pairs of positions they join.

Plain numpy; the tracer reads the modules' settings and calls these. ``docs/neural-graph.md``
states the rules in words.
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
    """Edges out of one existing layer whose target layer is not made yet; see ``Connection``."""

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
        """The same edges into target channels further on by ``channels`` (concatenation)."""
        return replace(self, target_channel=self.target_channel + channels)

    def scaled(self, scale: Floats) -> Branch:
        """Every weight times the ``scale`` (one for each channel of the target) it feeds."""
        groups, cout = self.weight.shape[:2]
        own = scale[self.target_channel : self.target_channel + groups * cout]
        return replace(self, weight=self.weight * own.reshape(groups, cout, 1, 1))


def linear(source: int, weight: Floats, positions: int, parameter: str) -> Branch:
    """A linear layer's edges: weight ``(out, in)`` on a flattened map of ``positions``.

    With ``in = channels * positions`` the entries become ``(1, out, channels, positions)``: each
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

    All arguments have one entry for each spatial dimension; ``padding`` is the one on the left.
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
    """1 / divisor of average pooling for each row of ``pairs``, as torch counts it.

    With ``count_padding`` the window counts whole, padded positions included (but not what
    ``ceil_mode`` adds beyond the padding), otherwise only its positions on the map.
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
    product: Ints = reduce(np.multiply.outer, sizes).ravel()
    return product


def _product(axes: list[Ints], extents: list[Sequence[int]]) -> Ints:
    """Rows of every combination of one row an axis, numbered row-major, target by target."""
    rows = axes[0]
    for d in range(1, len(axes)):
        scale = np.array([extent[d] for extent in extents])
        rows = (rows[:, None, :] * scale + axes[d][None, :, :]).reshape(-1, len(extents))
    ordered: Ints = rows[np.lexsort((rows[:, 0], rows[:, 1]))].astype(np.int64)
    return ordered
