"""Neural curvature the plain way: one transport problem an edge, solved with POT.

It is slow and short on purpose: it follows the definition (``curvature.definitions``) word by word,
and every faster solver is tested against it. It writes the graph out edge by edge, which limits it
to networks of some hundred thousand edges.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from graphprune.curvature.definitions import (
    NO_EDGE,
    check_alpha,
    check_factors,
    check_values,
    inactive,
    measure,
    supremum,
)
from graphprune.defaults import ALPHA
from graphprune.neural_graph.edges import endpoints, offsets, weights, write_out
from graphprune.neural_graph.structure import Connection, Floats, Ints, NeuralGraph

MAX_PIVOTS = 10_000_000
BALANCE = 1e-9  # largest relative difference of the two masses that counts as rounding


def edge_curvatures(
    graph: NeuralGraph,
    values: Sequence[Floats],
    alpha: float = ALPHA,
    *,
    closed_form: bool = True,
    factors: Sequence[Floats] | None = None,
) -> list[Floats]:
    """κ of every edge that belongs to a parameter, for one example.

    κ(u, v) = (1 − W₁(μ_u, ν_v) / ℓ(u, v)) / (1 − α), where the cost of W₁ is the length of the
    shortest directed path. If u or v is a hidden vertex of value 0, κ is the supremum, 2 or 1.

    Parameters
    ----------
    graph : neural graph.
    values : vertex values in [0, 1] of that example, one float64 ``(layer.size,)`` a layer.
    alpha : idleness, 0 ≤ α < 1.
    closed_form : where μ_u or ν_v is a single mass (edges of the input and the output, vertices
        without active neighbours), compute the one possible plan's cost instead of solving; the
        result is the same.
    factors : of every vertex, in (0, 1], shaped as ``values``; see ``definitions``.

    Returns
    -------
    For each connection float64 ``(groups, cout, cin, len(pairs))``: NaN where the weight is 0, and
    everywhere in a connection without a parameter.

    Raises
    ------
    UserError : alpha or values out of range.
    RuntimeError : POT reports anything but an optimum.

    Paper: arXiv 2601.16366.

    >>> kappa = edge_curvatures(traced.graph, [layer[0] for layer in values(traced, inputs)])
    """
    check_alpha(alpha)
    check_values(graph, [array[None, :] for array in values])
    check_factors(values, factors)
    written = _WrittenGraph(graph)
    return [
        np.full(weights(c).shape, np.nan)
        if c.parameter is None
        else written.curvatures(c, written.ends(c), values, alpha, closed_form, factors)
        for c in graph.connections
    ]


def parameter_curvatures(
    graph: NeuralGraph,
    values: Sequence[Floats],
    alpha: float = ALPHA,
    factors: Sequence[Floats] | None = None,
) -> dict[str, Floats]:
    """κ_min of every weight: the least κ over the positions that share it and over the examples.

    Parameters
    ----------
    graph : neural graph.
    values : vertex values in [0, 1], one float64 ``(examples, layer.size)`` a layer.
    alpha : idleness, 0 ≤ α < 1.
    factors : of every vertex, in (0, 1], shaped as ``values``; see ``definitions``.

    Returns
    -------
    By parameter name, float64 of the parameter's shape. +∞ for a weight without an edge: it is 0,
    or it meets nothing but padding.

    Raises
    ------
    UserError : alpha or values out of range.
    RuntimeError : POT reports anything but an optimum.

    Paper: arXiv 2601.16366.

    >>> kappa = parameter_curvatures(traced.graph, values(traced, inputs))
    """
    check_alpha(alpha)
    count = check_values(graph, list(values))
    check_factors(values, factors)
    written = _WrittenGraph(graph)
    least: dict[str, Floats] = {}
    for connection in graph.connections:
        if connection.parameter is None:
            continue
        kappa = np.full(connection.weight.shape, NO_EDGE)
        ends = written.ends(connection)
        for example in range(count):
            of_example = [array[example] for array in values]
            scale = None if factors is None else [array[example] for array in factors]
            of_edges = written.curvatures(connection, ends, of_example, alpha, True, scale)
            lower_by_tap(kappa, of_edges, connection.pairs[:, 2])
        kappa = kappa.reshape(connection.parameter_shape)
        earlier = least.get(connection.parameter, kappa)  # of a weight used by several layers
        least[connection.parameter] = np.minimum(earlier, kappa)
    return least


def lower_by_tap(least: Floats, kappa: Floats, taps: Ints) -> None:
    """Lower ``least`` of each tap to the least ``kappa`` of its position pairs, NaN left out.

    least: ``(groups, cout, cin, taps)``; kappa: ``(groups, cout, cin, pairs)``; taps: ``(pairs,)``.
    """
    for tap in np.unique(taps):
        of_tap = np.fmin.reduce(kappa[..., taps == tap], axis=-1)
        least[..., tap] = np.fmin(least[..., tap], of_tap)


def transport_cost(a: Floats, b: Floats, cost: Floats) -> float:
    """min ⟨P, cost⟩ over plans P ≥ 0 with row sums ``a`` and column sums ``b``, by POT.

    a: ``(n,)``, b: ``(m,)``, float64 of equal sum; cost: float64 ``(n, m)``, of any sign.

    Raises RuntimeError if the sums differ, and if POT gives any warning: it only warns even when
    its answer is wrong.
    """
    ot = _pot()
    mass = float(a.sum())
    if abs(mass - float(b.sum())) > BALANCE * mass:
        raise RuntimeError(f"optimal transport: masses {mass} and {b.sum()} differ")
    shift = min(float(cost.min()), 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            # POT's check of the marginals takes longer than most problems do
            least = ot.emd2(
                a,
                b,
                np.ascontiguousarray(cost - shift),
                numItermax=MAX_PIVOTS,
                center_dual=False,
                check_marginals=False,
            )
        except Warning as warning:
            raise RuntimeError(f"optimal transport failed: {warning}") from warning
    return float(least) + shift * mass


def _pot() -> Any:
    # POT imports every array library it finds, which takes time; it needs none of them here
    for library in ("PYTORCH", "JAX", "CUPY", "TENSORFLOW"):
        os.environ.setdefault(f"POT_BACKEND_DISABLE_{library}", "1")
    import ot

    return ot


@dataclass(frozen=True)
class _EndDistances:
    """Distances that the edges of one connection need: from u and its in-neighbours, to v and m.

    rows, columns: ``(vertices,)`` row or column of each vertex in ``distance``; −1 if it has none.
    """

    rows: Ints
    columns: Ints
    distance: Floats


class _WrittenGraph:
    """A graph written out edge by edge, with neighbours and distances."""

    def __init__(self, graph: NeuralGraph) -> None:
        self.graph = graph
        self.first = offsets(graph)

    @cached_property
    def _lengths(self) -> Any:
        """scipy CSR ``(vertices, vertices)`` of edge lengths, the shorter of parallel edges."""
        from scipy.sparse import csr_array

        edges = write_out(self.graph)
        order = np.lexsort((edges.length, edges.target, edges.source))
        source, target, length = edges.source[order], edges.target[order], edges.length[order]
        shortest = np.ones(len(order), dtype=bool)
        shortest[1:] = (source[1:] != source[:-1]) | (target[1:] != target[:-1])
        size = int(self.first[-1])
        # csgraph of scipy before 1.15 takes 32-bit indices only
        ends = tuple(vertex[shortest].astype(np.int32) for vertex in (source, target))
        entries = (length[shortest], ends)
        return csr_array(entries, shape=(size, size))

    @cached_property
    def _reversed(self) -> Any:
        return self._lengths.T.tocsr()

    def _neighbours(self, matrix: Any, vertex: int) -> Ints:
        return np.asarray(matrix.indices[matrix.indptr[vertex] : matrix.indptr[vertex + 1]])

    def _vertices(self, layers: set[int]) -> Ints:
        ranges = [np.arange(self.first[i], self.first[i + 1]) for i in sorted(layers)]
        return np.concatenate(ranges)

    def ends(self, connection: Connection) -> _EndDistances:
        """Distances from all u and their in-neighbours to all v and their out-neighbours."""
        from scipy.sparse.csgraph import dijkstra

        before = {c.source for c in self.graph.incoming(connection.source)} | {connection.source}
        after = {c.target for c in self.graph.outgoing(connection.target)} | {connection.target}
        starts, stops = self._vertices(before), self._vertices(after)
        # layers are in topological order: a path that leaves this range never comes back
        low, high = int(starts[0]), int(stops[-1]) + 1
        window = self._lengths[low:high, low:high]
        distance = np.concatenate(
            [
                dijkstra(window, indices=some - low)[:, stops - low]
                for some in np.array_split(starts, -(-len(starts) // 256))
            ]
        )
        rows, columns = np.full((2, int(self.first[-1])), -1)
        rows[starts] = np.arange(len(starts))
        columns[stops] = np.arange(len(stops))
        return _EndDistances(rows, columns, distance)

    def curvatures(
        self,
        connection: Connection,
        ends: _EndDistances,
        values: Sequence[Floats],
        alpha: float,
        closed_form: bool,
        factors: Sequence[Floats] | None,
    ) -> Floats:
        """κ of the connection's edges for one example; see ``edge_curvatures``."""
        graph = self.graph
        weight = weights(connection)
        kappa = np.full(weight.shape, np.nan)
        exists = weight != 0
        kappa[exists] = supremum(graph, connection)
        source, target = endpoints(graph, connection)
        live = exists.copy()
        live &= ~inactive(graph, connection.source, values[connection.source])[source]
        live &= ~inactive(graph, connection.target, values[connection.target])[target]
        problems = _Problems(self, np.concatenate(values), alpha, ends)
        u = source[live] + self.first[connection.source]
        v = target[live] + self.first[connection.target]
        length, given = 1.0 / np.abs(weight[live]), None
        if factors is not None:
            of_u, of_v = factors[connection.source][source], factors[connection.target][target]
            given = length = length / np.minimum(of_u, of_v)[live]
        costs = np.fromiter(problems.solve(u, v, closed_form, given), np.float64, len(u))
        kappa[live] = (1.0 - costs / length) / (1.0 - alpha)
        return kappa


class _Problems:
    """The transport problems of the edges of one connection for one example."""

    def __init__(
        self, written: _WrittenGraph, values: Floats, alpha: float, ends: _EndDistances
    ) -> None:
        self._written = written
        self._values = values
        self._alpha = alpha
        self._ends = ends
        self._measures: dict[tuple[str, int], tuple[Ints, Floats]] = {}

    def solve(self, u: Ints, v: Ints, closed_form: bool, lengths: Floats | None) -> Iterator[float]:
        """W₁(μ_u, ν_v) of each edge in turn; lengths: the cost of moving from u to v itself."""
        for edge, (tail, head) in enumerate(zip(u.tolist(), v.tolist(), strict=True)):
            sources, mu = self._measure("in", tail)
            targets, nu = self._measure("out", head)
            cost = self._ends.distance[self._ends.rows[sources, None], self._ends.columns[targets]]
            if lengths is not None:
                cost[np.ix_(sources == tail, targets == head)] = lengths[edge]
            if closed_form and (len(mu) == 1 or len(nu) == 1):
                yield float(mu @ cost @ nu)
            else:
                yield transport_cost(mu, nu, cost)

    def _measure(self, side: str, vertex: int) -> tuple[Ints, Floats]:
        """Support and masses of μ (side "in") or ν (side "out") of a vertex, computed once."""
        if (side, vertex) not in self._measures:
            self._measures[side, vertex] = self._compute(side, vertex)
        return self._measures[side, vertex]

    def _compute(self, side: str, vertex: int) -> tuple[Ints, Floats]:
        written = self._written
        matrix = written._reversed if side == "in" else written._lengths
        neighbours = written._neighbours(matrix, vertex)
        mass = measure(self._values[neighbours])
        neighbours, mass = neighbours[mass > 0], mass[mass > 0]
        if len(neighbours) == 0:
            return np.array([vertex]), np.ones(1)
        if self._alpha == 0.0:
            return neighbours, mass
        masses = np.append((1.0 - self._alpha) * mass, self._alpha)
        return np.append(neighbours, vertex), masses
