"""Runs the two passes over the problems of one connection, in chunks of sites and on threads.

The first pass solves each base problem once; it settles the edges that a certificate decides and
bounds the others, which stay open. The second solves open edges from the base optimum, in rounds:
each takes, for every weight whose minimum is not certain yet, its open edges of least lower bound.
Edges that cannot lower the minimum are never solved. What a round takes depends on earlier rounds
alone, so results do not depend on the number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from graphprune.curvature.passes.bound import bound_sites
from graphprune.curvature.passes.solve import solve_edges
from graphprune.curvature.problem.arrays import (
    STATISTICS,
    BaseOptima,
    ThreadResults,
    make_buffers,
)
from graphprune.curvature.problem.build import build_problems
from graphprune.curvature.problem.distances import Distances
from graphprune.errors import UserError
from graphprune.neural_graph.structure import Floats, Ints, NeuralGraph

# Bounds and base optima of one chunk of sites stay below this many bytes.
CHUNK_BYTES = 1 << 30


class Workers:
    """The threads that share the work: a pool, or none if there is one thread alone."""

    def __init__(self, threads: int | None) -> None:
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        self.threads = threads if threads is not None else available or os.cpu_count() or 1
        if self.threads < 1:
            raise UserError(f"threads is {threads}; allowed: at least 1")
        self.pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self.pool is not None:
            self.pool.shutdown()

    def each(self, function: object, jobs: list[tuple[object, ...]]) -> None:
        """Call ``function(worker, *job)`` for every job; worker: index of the thread."""
        queue = iter(jobs)

        def drain(worker: int) -> None:
            for job in queue:  # next() on a list iterator is atomic
                function(worker, *job)  # type: ignore[operator]

        if self.pool is None:
            drain(0)
        else:
            list(self.pool.map(drain, range(self.threads)))


class ConnectionSolver:
    """Solves the problems of connection ``index`` of the graph; adds its counts to ``totals``.

    totals: int64, one entry for each of ``STATISTICS``.
    """

    def __init__(
        self,
        graph: NeuralGraph,
        index: int,
        values: list[Floats],
        alpha: float,
        distances: Distances,
        workers: Workers,
        totals: Ints,
        factors: list[Floats] | None = None,
    ) -> None:
        built = build_problems(graph, graph.connections[index], values, alpha, distances, factors)
        self._problems, self._nodes, self._error = built.problems, built.nodes, built.error
        self._bundle_of = built.bundle_of
        self._workers, self._totals = workers, totals
        self._kappa_tolerance = 0.0
        self._buffers = [
            make_buffers(self._problems, built.largest_p, built.largest_q)
            for _ in range(workers.threads)
        ]

    def minimum(self, tolerance: float) -> tuple[Floats, Floats]:
        """Least κ of each weight and its certified error, ``(groups, cout, cin, taps)``."""
        best = np.full(self._problems.length.shape, np.inf)
        floor = np.full(best.size, np.inf)  # least lower bound of the edges left unsolved
        for begin, end in self._chunks():
            lower, optima, _ = self._bound(begin, end, best, False)
            self._rounds(lower, optima, begin, best, floor, 2.0 * tolerance)
        flat = best.reshape(-1)
        floor = np.minimum(flat, floor)
        with np.errstate(invalid="ignore"):
            width = np.where(np.isfinite(flat), flat - floor, 0.0)
        error = 0.5 * width + self._error + self._kappa_tolerance
        error = np.where(np.isfinite(flat), error, 0.0)
        return (flat - 0.5 * width).reshape(best.shape), error.reshape(best.shape)

    def every_edge(self) -> Floats:
        """κ of every edge of the first example, ``(groups, cout, cin, pairs)``."""
        groups, cout, cin, taps = self._problems.length.shape
        curvatures = np.empty((len(self._problems.pair_source), groups, cout, cin))
        best = np.full((groups, cout, cin, taps), np.inf)
        for begin, end in self._chunks():
            lower, optima, exact = self._bound(begin, end, best, True)
            edges, kappa = self._solve(np.flatnonzero(np.isfinite(lower)), optima, begin)
            exact.reshape(-1)[edges] = kappa
            curvatures[begin:end] = exact
        return np.ascontiguousarray(curvatures.transpose(1, 2, 3, 0))

    def _chunks(self) -> Iterator[tuple[int, int]]:
        """Ranges of sites whose bounds and base optima fit into ``CHUNK_BYTES``."""
        groups, cout, cin, _ = self._problems.length.shape
        need = np.cumsum(8 * groups * cout * cin + 20 * self._nodes.sum(axis=1))
        begin = 0
        while begin < len(need):
            before = need[begin - 1] if begin else 0
            end = int(np.searchsorted(need, before + CHUNK_BYTES, side="right"))
            end = max(end, begin + 1)
            yield begin, end
            begin = end

    def _bound(
        self, begin: int, end: int, best: Floats, keep: bool
    ) -> tuple[Floats, BaseOptima, Floats]:
        """First pass over the sites begin … end − 1: lower bounds, base optima, settled κ.

        Lowers ``best`` to the upper bounds. keep: whether κ of the settled edges is wanted.
        """
        groups, cout, cin, _ = self._problems.length.shape
        shape = end - begin, groups, cout, cin
        lower = np.full(shape, np.inf)
        exact = np.full(shape, np.nan) if keep else np.empty((0, 0, 0, 0))
        nodes = self._nodes[begin:end].reshape(-1)
        total = int(nodes.sum())
        optima = BaseOptima(
            np.concatenate([[0], np.cumsum(nodes)]),
            np.empty(total, np.int32),
            np.empty(total),
            np.empty(total),
        )
        threads = self._workers.threads
        results = [self._results(begin, lower, exact, best.copy()) for _ in range(threads)]
        sites = end - begin
        # With few sites (linear layers) a bundle's output channels are shared out as well.
        shares = 1 if sites >= 4 * threads else min(cout, 2 * threads)
        step = max(1, sites // (16 * threads))

        def work(worker: int, first: int, last: int, share: int) -> None:
            bound_sites(
                self._problems, optima, self._buffers[worker], results[worker], first, last, share,
                shares,
            )  # fmt: skip

        self._workers.each(
            work,
            [
                (first, min(first + step, end), share)
                for first in range(begin, end, step)
                for share in range(shares)
            ],
        )
        for of_thread in results:
            np.minimum(best, of_thread.best, out=best)
        self._collect(results)
        return lower, optima, exact

    def _rounds(
        self,
        lower: Floats,
        optima: BaseOptima,
        begin: int,
        best: Floats,
        floor: Floats,
        width: float,
    ) -> None:
        """Second pass: solve open edges until no minimum can fall by more than ``width``.

        Lowers ``best`` to the solved κ, and ``floor`` to the bounds of edges left unsolved.
        """
        flat, bounds = best.reshape(-1), lower.reshape(-1)
        edges = np.flatnonzero(np.isfinite(bounds))
        bounds = bounds[edges]
        weights = self._weights_of(edges, begin)
        count = 1
        while True:
            # an edge whose bound is below the minimum by no more than ``width`` is left unsolved
            keep = bounds < flat[weights] - width
            if not keep.all():
                np.minimum.at(floor, weights[~keep], bounds[~keep])
                edges, bounds, weights = edges[keep], bounds[keep], weights[keep]
            if not len(edges):
                return
            order = np.lexsort((edges, bounds, weights))
            first = np.flatnonzero(np.r_[True, np.diff(weights[order]) > 0])
            rank = np.arange(len(order)) - np.repeat(first, np.diff(np.r_[first, len(order)]))
            chosen = np.zeros(len(edges), np.bool_)
            chosen[order[rank < count]] = True
            solved, kappa = self._solve(edges[chosen], optima, begin)
            np.minimum.at(flat, self._weights_of(solved, begin), kappa)
            edges, bounds, weights = edges[~chosen], bounds[~chosen], weights[~chosen]
            count *= 2

    def _weights_of(self, edges: Ints, begin: int) -> Ints:
        """Flat index of the weight of each edge."""
        groups, cout, cin, taps = self._problems.length.shape
        row, channels = np.divmod(edges, groups * cout * cin)
        tap = self._problems.pair_tap[(row + begin) % len(self._problems.pair_tap)]
        return np.asarray(channels * taps + tap)

    def _solve(self, edges: Ints, optima: BaseOptima, begin: int) -> tuple[Ints, Floats]:
        """κ of open edges; returns them in order of (site, bundle), and κ in that order."""
        groups, cout, cin, _ = self._problems.length.shape
        row, channels = np.divmod(edges, groups * cout * cin)
        bundle = self._bundle_of[channels]
        order = np.lexsort((edges, bundle, row))
        edges, bundle = edges[order], bundle[order]
        kappa = np.empty(len(edges))
        threads = self._workers.threads
        empty = np.empty((0, 0, 0, 0))
        results = [self._results(begin, empty, empty, empty) for _ in range(threads)]
        step = min(512, max(16, len(edges) // (8 * threads)))

        def work(worker: int, first: int, last: int) -> None:
            solve_edges(
                self._problems, optima, self._buffers[worker], results[worker], edges[first:last],
                bundle[first:last], kappa[first:last],
            )  # fmt: skip

        self._workers.each(
            work,
            [(first, min(first + step, len(edges))) for first in range(0, len(edges), step)],
        )
        self._collect(results)
        return edges, kappa

    def _results(self, begin: int, lower: Floats, exact: Floats, best: Floats) -> ThreadResults:
        counts = np.zeros(len(STATISTICS), np.int64)
        return ThreadResults(begin, lower, exact, best, counts, np.zeros(1))

    def _collect(self, results: list[ThreadResults]) -> None:
        """Add up the counts of the threads; take the largest of their tolerances."""
        for of_thread in results:
            self._totals += of_thread.counts
            tolerance = float(of_thread.kappa_tolerance[0])
            self._kappa_tolerance = max(self._kappa_tolerance, tolerance)
