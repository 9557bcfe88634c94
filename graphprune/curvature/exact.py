"""Exact neural curvature of every edge, or of every parameter, of a neural graph.

Two passes over the transport problems of a connection. The first solves each base problem once and
bounds the curvature of all its edges, closing those that a certificate settles. The second solves
open edges from the base optimum, in rounds: each round takes, for every parameter whose minimum is
not certain yet, its open edges of least lower bound, and no edge that cannot lower the minimum.
What a round solves depends on earlier rounds alone, so results do not depend on threads.

Paper: arXiv 2601.16366; the identities it rests on: ``curvature.bounds``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from graphprune.curvature.bounding import bound_units
from graphprune.curvature.definitions import ALPHA, check_alpha, check_values
from graphprune.curvature.distances import Distances
from graphprune.curvature.problem import STATISTICS, Sheet, Store, scratch
from graphprune.curvature.problems import build_problem
from graphprune.curvature.solving import solve_edges
from graphprune.errors import UserError
from graphprune.neural_graph.structure import Connection, Floats, Ints, NeuralGraph

logger = logging.getLogger(__name__)

# Bounds and base optima of one chunk of examples and positions stay below this many bytes.
CHUNK_BYTES = 1 << 30


@dataclass(frozen=True)
class CurvatureResult:
    """Least curvature of every parameter.

    kappa: by parameter name, float64 of the parameter's shape; inf where the weight is 0.
    error: by parameter name, of the same shape: certified bound of \\|kappa − exact value\\|.
    statistics: numbers of edges by how they were settled, of base problems and pivots, seconds.
    """

    kappa: dict[str, Floats]
    error: dict[str, Floats]
    statistics: dict[str, float] = field(default_factory=dict)


def parameter_curvatures(
    graph: NeuralGraph,
    values: list[Floats],
    alpha: float = ALPHA,
    tolerance: float = 0.0,
    threads: int | None = None,
) -> CurvatureResult:
    """Minimum of κ over all positions and examples, for every parameter of the graph.

    Parameters
    ----------
    graph : the network's neural graph.
    values : one float64 ``(examples, layer.size)`` a layer, in [0, 1].
    alpha : idleness, 0 ≤ α < 1.
    tolerance : 0 solves until the minimum is exact (to rounding, see ``error``); otherwise stop
        where it is certain to within ± tolerance.
    threads : number of threads, by default all cores; results do not depend on it.

    Raises
    ------
    UserError : alpha, tolerance or values out of range.

    >>> parameter_curvatures(graph, values).kappa["fc1.weight"]
    """
    check_alpha(alpha)
    check_values(graph, values)
    if not tolerance >= 0.0:
        raise UserError(f"tolerance is {tolerance}; allowed: tolerance >= 0")
    began = perf_counter()
    result = CurvatureResult({}, {})
    totals = np.zeros(len(STATISTICS), np.int64)
    with _Workers(threads) as workers:
        distances = Distances(graph, workers.pool)
        for index, connection in enumerate(graph.connections):
            if connection.parameter is None:
                continue
            distances.forget(_needed(graph, connection))
            solver = _Connection(graph, index, values, alpha, distances, workers, totals)
            least, error = solver.minimum(tolerance)
            name, shape = connection.parameter, connection.parameter_shape
            least, error = least.reshape(shape), error.reshape(shape)
            if name in result.kappa:  # one weight used by several layers
                error = np.maximum(error, result.error[name])
                least = np.minimum(least, result.kappa[name])
            result.kappa[name], result.error[name] = least, error
            seconds = perf_counter() - began
            of = len(graph.connections)
            logger.info("curvature of %s, %d of %d, after %.1f s", name, index + 1, of, seconds)
    for name, count in zip(STATISTICS, totals, strict=True):
        result.statistics[name] = float(count)
    statistics = result.statistics
    statistics["skipped_by_bounds"] = statistics["open"] - statistics["solved"]
    statistics["seconds"] = perf_counter() - began
    return result


def edge_curvatures(
    graph: NeuralGraph,
    values: list[Floats],
    alpha: float = ALPHA,
    threads: int | None = None,
) -> list[Floats]:
    """κ of every edge for one example.

    Parameters
    ----------
    values : one float64 ``(size,)`` a layer.

    Returns
    -------
    For each connection of the graph float64 ``(groups, cout, cin, pairs)``, NaN where the weight
    is 0 and everywhere in a connection without parameters.
    """
    check_alpha(alpha)
    values = [np.atleast_2d(level) for level in values]
    check_values(graph, values)
    totals = np.zeros(len(STATISTICS), np.int64)
    found: list[Floats] = []
    with _Workers(threads) as workers:
        distances = Distances(graph, workers.pool)
        for index, connection in enumerate(graph.connections):
            if connection.parameter is None:
                shape = *connection.weight.shape[:3], len(connection.pairs)
                found.append(np.full(shape, np.nan))
                continue
            distances.forget(_needed(graph, connection))
            solver = _Connection(graph, index, values, alpha, distances, workers, totals)
            found.append(solver.every_edge())
    return found


def _needed(graph: NeuralGraph, connection: Connection) -> set[int]:
    """Layers from which distances are still asked for, at this connection or a later one."""
    later = range(connection.source, len(graph.layers))
    return set(later) | {c.source for layer in later for c in graph.incoming(layer)}


class _Workers:
    """A number of threads and, above one, their pool."""

    def __init__(self, threads: int | None) -> None:
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        self.threads = threads if threads is not None else available or os.cpu_count() or 1
        if self.threads < 1:
            raise UserError(f"threads is {threads}; allowed: at least 1")
        self.pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self.pool is not None:
            self.pool.shutdown()

    def each(self, function: object, jobs: list[tuple[object, ...]]) -> None:
        """Call ``function(worker's index, *job)`` for every job."""
        queue = iter(jobs)

        def drain(worker: int) -> None:
            for job in queue:  # next() on a list iterator is atomic
                function(worker, *job)  # type: ignore[operator]

        if self.pool is None:
            drain(0)
        else:
            list(self.pool.map(drain, range(self.threads)))


class _Connection:
    """The problems of one connection and the arrays its threads share."""

    def __init__(
        self,
        graph: NeuralGraph,
        index: int,
        values: list[Floats],
        alpha: float,
        distances: Distances,
        workers: _Workers,
        totals: Ints,
    ) -> None:
        self._connection = graph.connections[index]
        built = build_problem(graph, self._connection, values, alpha, distances)
        self._problem, self._sizes, self._error = built.problem, built.sizes, built.error
        self._block_of = built.block_of
        self._workers, self._totals = workers, totals
        self._widest = 0.0
        self._scratch = [
            scratch(self._problem, built.largest_p, built.largest_q) for _ in range(workers.threads)
        ]

    def minimum(self, tolerance: float) -> tuple[Floats, Floats]:
        """Least κ of each weight and its certified error, ``(groups, cout, cin, taps)``."""
        best = np.full(self._problem.length.shape, np.inf)
        floor = np.full(best.size, np.inf)  # least lower bound left unsolved
        for begin, end in self._chunks():
            lower, store, _ = self._bound(begin, end, best, False)
            self._rounds(lower, store, begin, best, floor, 2.0 * tolerance)
        flat = best.reshape(-1)
        floor = np.minimum(flat, floor)
        with np.errstate(invalid="ignore"):
            width = np.where(np.isfinite(flat), flat - floor, 0.0)
        error = np.where(np.isfinite(flat), 0.5 * width + self._error + self._widest, 0.0)
        return (flat - 0.5 * width).reshape(best.shape), error.reshape(best.shape)

    def every_edge(self) -> Floats:
        """κ of every edge of the first example, ``(groups, cout, cin, pairs)``."""
        groups, cout, cin, taps = self._problem.length.shape
        found = np.empty((len(self._problem.source), groups, cout, cin))
        best = np.full((groups, cout, cin, taps), np.inf)
        for begin, end in self._chunks():
            lower, store, exact = self._bound(begin, end, best, True)
            edges, kappa = self._solve(np.flatnonzero(np.isfinite(lower)), store, begin)
            exact.reshape(-1)[edges] = kappa
            found[begin:end] = exact
        return np.ascontiguousarray(found.transpose(1, 2, 3, 0))

    def _chunks(self) -> Iterator[tuple[int, int]]:
        """Ranges of units whose bounds and base optima fit into memory."""
        groups, cout, cin, _ = self._problem.length.shape
        need = np.cumsum(8 * groups * cout * cin + 20 * self._sizes.sum(axis=1))
        begin = 0
        while begin < len(need):
            before = need[begin - 1] if begin else 0
            end = int(np.searchsorted(need, before + CHUNK_BYTES, side="right"))
            end = max(end, begin + 1)
            yield begin, end
            begin = end

    def _bound(
        self, begin: int, end: int, best: Floats, keep: bool
    ) -> tuple[Floats, Store, Floats]:
        groups, cout, cin, _ = self._problem.length.shape
        shape = end - begin, groups, cout, cin
        lower = np.full(shape, np.inf)
        exact = np.full(shape, np.nan) if keep else np.empty((0, 0, 0, 0))
        sizes = self._sizes[begin:end].reshape(-1)
        nodes = int(sizes.sum())
        store = Store(
            np.concatenate([[0], np.cumsum(sizes)]),
            np.empty(nodes, np.int32),
            np.empty(nodes),
            np.empty(nodes),
        )
        threads = self._workers.threads
        sheets = [self._sheet(begin, lower, exact, best.copy()) for _ in range(threads)]
        units = end - begin
        # Few units (linear layers): share out each one's output channels as well.
        parts = 1 if units >= 4 * threads else min(cout, 2 * threads)
        step = max(1, units // (16 * threads))

        def work(worker: int, first: int, last: int, part: int) -> None:
            bound_units(
                self._problem,
                store,
                self._scratch[worker],
                sheets[worker],
                first,
                last,
                part,
                parts,
            )

        self._workers.each(
            work,
            [
                (first, min(first + step, end), part)
                for first in range(begin, end, step)
                for part in range(parts)
            ],
        )
        for sheet in sheets:
            np.minimum(best, sheet.best, out=best)
        self._collect(sheets)
        return lower, store, exact

    def _rounds(
        self,
        lower: Floats,
        store: Store,
        begin: int,
        best: Floats,
        floor: Floats,
        width: float,
    ) -> None:
        """Solve open edges until no minimum can fall by more than ``width``."""
        flat, bounds = best.reshape(-1), lower.reshape(-1)
        edges = np.flatnonzero(np.isfinite(bounds))
        bounds = bounds[edges]
        owner = self._owner(edges, begin)
        count = 1
        while True:
            # an edge just below the minimum is left when that is close enough
            keep = bounds < flat[owner] - width
            if not keep.all():
                np.minimum.at(floor, owner[~keep], bounds[~keep])
                edges, bounds, owner = edges[keep], bounds[keep], owner[keep]
            if not len(edges):
                return
            order = np.lexsort((edges, bounds, owner))
            first = np.flatnonzero(np.r_[True, np.diff(owner[order]) > 0])
            rank = np.arange(len(order)) - np.repeat(first, np.diff(np.r_[first, len(order)]))
            chosen = np.zeros(len(edges), np.bool_)
            chosen[order[rank < count]] = True
            solved, kappa = self._solve(edges[chosen], store, begin)
            np.minimum.at(flat, self._owner(solved, begin), kappa)
            edges, bounds, owner = edges[~chosen], bounds[~chosen], owner[~chosen]
            count *= 2

    def _owner(self, edges: Ints, begin: int) -> Ints:
        """Flat index of the weight of each edge."""
        groups, cout, cin, taps = self._problem.length.shape
        unit, channel = np.divmod(edges, groups * cout * cin)
        tap = self._problem.tap[(unit + begin) % len(self._problem.tap)]
        return np.asarray(channel * taps + tap)

    def _solve(self, edges: Ints, store: Store, begin: int) -> tuple[Ints, Floats]:
        """κ of open edges; returns them sorted by problem, and κ in that order."""
        groups, cout, cin, _ = self._problem.length.shape
        unit, channel = np.divmod(edges, groups * cout * cin)
        block = self._block_of[channel]
        order = np.lexsort((edges, block, unit))
        edges, block, unit = edges[order], block[order], unit[order]
        kappa = np.empty(len(edges))
        threads = self._workers.threads
        nothing = np.empty((0, 0, 0, 0))
        sheets = [self._sheet(begin, nothing, nothing, nothing) for _ in range(threads)]
        step = min(512, max(16, len(edges) // (8 * threads)))

        def work(worker: int, first: int, last: int) -> None:
            solve_edges(
                self._problem, store, self._scratch[worker], sheets[worker], edges[first:last],
                block[first:last], kappa[first:last],
            )  # fmt: skip

        self._workers.each(
            work,
            [(first, min(first + step, len(edges))) for first in range(0, len(edges), step)],
        )
        self._collect(sheets)
        return edges, kappa

    def _sheet(self, begin: int, lower: Floats, exact: Floats, best: Floats) -> Sheet:
        return Sheet(begin, lower, exact, best, np.zeros(len(STATISTICS), np.int64), np.zeros(1))

    def _collect(self, sheets: list[Sheet]) -> None:
        for sheet in sheets:
            self._totals += sheet.counts
            self._widest = max(self._widest, float(sheet.widest[0]))
