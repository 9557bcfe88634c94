"""The search for regular graphs of short average path length, or of long or of a given one."""

from __future__ import annotations

import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphprune.errors import UserError, one_of
from graphprune.regular_graphs.annealing import anneal
from graphprune.regular_graphs.bounds import check_degree, moore_levels
from graphprune.regular_graphs.breadth_first import distance_sum_many
from graphprune.regular_graphs.generation import (
    GENERATORS,
    circulant_neighbours,
    random_regular_graph,
)
from graphprune.regular_graphs.measures import Adjacency

OBJECTIVES = ("min", "max")
STARTS = ("symmetric", "random", "circulant")
# each chain's order of symmetry: its place among the orders, of which the best is first
CHAINS = (0, 1, 0, 1, 0, 1, 2, 2)
# number of sources with which the shortest paths are found in a given time (benchmarks/rgp.py)
BEST_SOURCES = 7.0
# temperatures at the start and the end of a chain, in path length per source
HOT, COLD = 0.6, 0.12


@dataclass(frozen=True)
class _Chain:
    """One annealing run on graphs that a cyclic group of this order leaves unchanged."""

    order: int
    seed: int
    evaluations: int
    start: str


def regular_graph(
    n: int,
    k: int,
    seed: int = 0,
    *,
    objective: str | float = "min",
    evaluations: int | None = None,
    start: str | None = None,
    generator: str = "graph-tool",
    threads: int | None = None,
    progress: bool = False,
) -> Adjacency:
    """A connected simple k-regular graph on n vertices of short average path length (ASPL).

    Simulated annealing over degree-preserving switches of two edges, each scored by a bit-parallel
    breadth-first search. By default the chains search among graphs with a cyclic symmetry, whose
    orders are divisors of n: a switch then moves whole edge orbits, the space is far smaller and
    the ASPL follows from one vertex an orbit. Where n has no such divisor they search all graphs.

    Parameters
    ----------
    n, k : vertices and degree; n·k even, 2 ≤ k < n (or n=2, k=1; n=1, k=0).
    seed : of every random choice. The graph depends on the arguments alone, not on ``threads``.
    objective : "min" or "max" ASPL, or the ASPL to come as close to as possible.
    evaluations : graphs to score in all, divided among the chains; by default chosen by size.
    start : "symmetric" (default for "min"), "random" (default otherwise; by ``generator``) or
        "circulant"; the last two search without symmetry.
    generator : "graph-tool" or "numpy", what draws the graph for ``start="random"``.
    threads : chains run at a time; by default the number of processors.
    progress : show a line on standard error.

    Returns
    -------
    Adjacency matrix, boolean ``(n, n)``, symmetric, False on the diagonal.

    Raises
    ------
    UserError : no such graph exists, an unknown objective, start or generator, an ASPL that is no
        positive number, graph-tool wanted and not installed.

    Papers: Kitasuka and Iida, A heuristic method of generating diameter 3 graphs for order/degree
    problem, NOCS 2016 (switches on a symmetric start); RGP, arXiv 2110.15192 (the use).

    >>> regular_graph(64, 4).sum(1)[:5]
    array([4, 4, 4, 4, 4])
    """
    check_degree(n, k)
    _check_options(objective, start, generator, evaluations, threads)
    if k < 3 or k == n - 1:
        return random_regular_graph(n, k, seed, generator="numpy")
    start = start or ("symmetric" if objective == "min" else "random")
    budget = default_evaluations(n, k) if evaluations is None else evaluations
    chains = _plan(n, k, seed, budget, start)
    line = _Progress(n, k, sum(chain.evaluations for chain in chains), progress)
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        results = list(pool.map(lambda c: _run(n, k, c, objective, generator, line), chains))
    line.close()
    neighbours = min(enumerate(results), key=lambda item: (item[1][0], item[0]))[1][1]
    adjacency = np.zeros((n, n), dtype=np.bool_)
    adjacency[np.arange(n)[:, None], neighbours] = True
    return adjacency


def default_evaluations(n: int, k: int) -> int:
    """The default number of graphs to score."""
    return max(4_000, min(1_000_000, 600_000_000 // (n * k)))


def _check_options(
    objective: str | float,
    start: str | None,
    generator: str,
    evaluations: int | None,
    threads: int | None,
) -> None:
    if isinstance(objective, str):
        if objective not in OBJECTIVES:
            raise one_of("objective", objective, (*OBJECTIVES, "an average path length"))
    elif not (math.isfinite(objective) and objective > 0):
        raise UserError(f"objective is {objective}; allowed: min, max or a positive path length")
    if start is not None and start not in STARTS:
        raise one_of("start", start, STARTS)
    if generator not in GENERATORS:
        raise one_of("generator", generator, GENERATORS)
    for what, value in (("evaluations", evaluations), ("threads", threads)):
        if value is not None and value < 1:
            raise UserError(f"{what} is {value}; allowed: a whole number >= 1")


def symmetry_orders(n: int, k: int) -> list[int]:
    """Orders g of cyclic groups the search may impose: divisors of n that leave n/g·k even.

    With an odd number of arcs in the quotient some edge orbit would have to be its own reverse.
    """
    return [g for g in range(1, n) if n % g == 0 and n // g * k % 2 == 0]


def _plan(n: int, k: int, seed: int, budget: int, start: str) -> list[_Chain]:
    share = max(1, budget // len(CHAINS))
    seeds = np.random.SeedSequence(seed).generate_state(len(CHAINS), np.uint64)
    orders = [1]
    if start == "symmetric":
        by_sources = sorted(
            symmetry_orders(n, k), key=lambda g: abs(math.log(n / g / BEST_SOURCES))
        )
        orders = by_sources[:3]
    return [
        _Chain(orders[place % len(orders)], int(chain_seed), share, start)
        for place, chain_seed in zip(CHAINS, seeds, strict=True)
    ]


def _run(
    n: int, k: int, chain: _Chain, objective: str | float, generator: str, line: _Progress
) -> tuple[float, npt.NDArray[np.int32]]:
    """The best graph of a chain: its cost per source, and its neighbours, int32 ``(n, k)``."""
    g = chain.order
    m = n // g
    neighbours = _start(n, k, chain, generator)
    arcs = _quotient(neighbours, g)
    reach = np.zeros((2, n, (m + 63) // 64), np.uint64)
    total = distance_sum_many(neighbours, g, reach[0], reach[1])
    aim = _objective(objective, n, k, m)
    cost = abs(total - aim[1]) if aim[0] == 0 else aim[0] * total
    costs = np.full(2, float(cost))
    best = neighbours.copy()
    state = np.array([chain.seed | 1], np.uint64)
    if chain.start == "symmetric":
        mixing = np.array([1e18, 1e18, 0.0, 1.0])
        anneal(*arcs, neighbours, best, costs, state, mixing, aim, 5 * m * k)
        costs[1] = costs[0]
        best[:] = neighbours
    schedule = np.array([HOT * m, COLD * m, 0.0, chain.evaluations])
    left = chain.evaluations
    while left > 0:
        chunk = min(left, max(1, chain.evaluations // 20))
        made = anneal(*arcs, neighbours, best, costs, state, schedule, aim, chunk)
        line.advance(chunk)
        left -= chunk
        if made < chunk:
            break
    return costs[1] / m, best


def _objective(objective: str | float, n: int, k: int, m: int) -> npt.NDArray[np.int64]:
    """[sign, goal, cost that cannot be improved] in sums of distances over m sources."""
    bound = m * sum(d * count for d, count in enumerate(moore_levels(n, k), 1))
    if objective == "min":
        return np.array([1, 0, bound])
    if objective == "max":
        return np.array([-1, 0, -m * n * n])
    return np.array([0, round(float(objective) * m * (n - 1)), 0])


def _start(n: int, k: int, chain: _Chain, generator: str) -> npt.NDArray[np.int32]:
    """Neighbours, int32 ``(n, k)``, numbered so that vertex (b, x) of the symmetry is b·g + x."""
    if chain.start == "random":
        adjacency = random_regular_graph(n, k, chain.seed % 2**31, generator)
        return np.nonzero(adjacency)[1].reshape(n, k).astype(np.int32)
    neighbours = circulant_neighbours(n, k)
    m = n // chain.order
    # rotation by m keeps the circulant graph: vertex x·m + b becomes (b, x)
    number = np.arange(n) % m * chain.order + np.arange(n) // m
    renumbered = np.empty_like(neighbours)
    renumbered[number] = number[neighbours]
    return renumbered.astype(np.int32)


def _quotient(
    neighbours: npt.NDArray[np.int32], g: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """(base, shift, reverse) of the arcs out of the vertices (b, 0); see ``annealing``."""
    k = neighbours.shape[1]
    base, shift = np.divmod(neighbours[::g].ravel(), g)
    reverse = np.full(len(base), -1, np.int32)
    for arc in range(len(base)):
        if reverse[arc] >= 0:
            continue
        row = base[arc] * k
        for back in range(row, row + k):
            matches = base[back] == arc // k and (shift[back] + shift[arc]) % g == 0
            if back != arc and reverse[back] < 0 and matches:
                reverse[arc], reverse[back] = back, arc
                break
    return base.astype(np.int32), shift.astype(np.int32), reverse


class _Progress:
    """One line on standard error, rewritten as the chains advance."""

    def __init__(self, n: int, k: int, total: int, shown: bool) -> None:
        self._title, self._total, self._shown, self._done = f"graph ({n}, {k})", total, shown, 0

    def advance(self, evaluations: int) -> None:
        self._done += evaluations
        if self._shown:
            share = min(1.0, self._done / self._total)
            print(f"\r{self._title}: {share:4.0%} of the search", end="", file=sys.stderr)

    def close(self) -> None:
        if self._shown:
            print(file=sys.stderr)
