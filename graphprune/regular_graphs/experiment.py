"""A test of RGP's claim: does accuracy fall as the average path length of the graph grows?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphprune.errors import UserError
from graphprune.regular_graphs.measures import Adjacency, aspl
from graphprune.regular_graphs.search import regular_graph

Floats = npt.NDArray[np.float64]
COLUMNS = ("graph", "aspl", "accuracy")


def graphs_across_aspl(
    n: int,
    k: int,
    count: int,
    seed: int = 0,
    evaluations: int | None = None,
    generator: str = "graph-tool",
    longest: float | None = None,
    threads: int | None = None,
    on_graph: Callable[[Adjacency], None] | None = None,
) -> list[Adjacency]:
    """``count`` connected k-regular graphs on n vertices spread over the reachable ASPL range.

    The first has the shortest ASPL that the search finds, the last the longest (or the one nearest
    ``longest``); between them the aims are spaced evenly in log ASPL. All start from random graphs
    drawn by ``generator``, so that they differ in path length and not in symmetry.

    evaluations : graphs scored in each search; by default chosen by size.
    threads : as in ``regular_graph``; no graph depends on it.
    on_graph : called with each graph as it is found, not in the order of the result.
    """
    if count < 2:
        raise UserError(f"count is {count}; allowed: count >= 2 (shortest and longest)")

    def search(objective: str | float, offset: int) -> Adjacency:
        graph = regular_graph(
            n,
            k,
            seed + offset,
            objective=objective,
            evaluations=evaluations,
            start="random",
            generator=generator,
            threads=threads,
        )
        if on_graph is not None:
            on_graph(graph)
        return graph

    first = search("min", 0)
    last = search("max" if longest is None else longest, count - 1)
    aims = np.geomspace(aspl(first), aspl(last), count)[1:-1]
    return [first, *(search(float(aim), 1 + i) for i, aim in enumerate(aims)), last]


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation between a graph's ASPL and the mean accuracy it gives.

    rho: in [−1, 1]; negative if longer paths go with lower accuracy.
    low, high: bootstrap percentile interval of rho.
    p_value: two-sided, of no association, from permutations; at least 1 / (permutations + 1).
    graphs, runs: how many graphs and how many trained networks it rests on.
    """

    rho: float
    low: float
    high: float
    p_value: float
    graphs: int
    runs: int


def aspl_accuracy_correlation(
    table: Mapping[str, Any] | Any,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Correlation:
    """Spearman's ρ of accuracy against ASPL, with interval and p-value.

    Parameters
    ----------
    table : columns ``graph`` (any label), ``aspl`` and ``accuracy``, one row a trained network: a
        data frame or a mapping to equally long arrays.
    confidence : of the interval. resamples : bootstrap draws, and permutations.

    Runs on one graph share it and are no independent evidence. ρ is therefore taken between ASPL
    and the mean accuracy over a graph's runs; the bootstrap draws graphs with replacement and then
    runs within each; the permutations exchange the graphs' ASPL values. Draws in which all graphs
    have one ASPL or one accuracy have no ρ and are left out.

    Raises UserError for a missing column, fewer than three graphs, NaN, or a graph with two ASPLs.
    """
    lengths, accuracies = _by_graph(table)
    if not 0.0 < confidence < 1.0:
        raise UserError(f"confidence is {confidence}; allowed: 0 < confidence < 1")
    generator = np.random.default_rng(seed)
    means = np.array([a.mean() for a in accuracies])
    rho = spearman(lengths, means)
    count = len(lengths)
    draws, shuffled = np.empty(resamples), np.empty(resamples)
    for i in range(resamples):
        picks = generator.integers(count, size=count)
        runs = [generator.choice(accuracies[j], len(accuracies[j])).mean() for j in picks]
        draws[i] = spearman(lengths[picks], np.array(runs))
        shuffled[i] = spearman(generator.permutation(lengths), means)
    tail = (1.0 - confidence) / 2.0
    low, high = np.nanquantile(draws, [tail, 1.0 - tail])
    extreme = int((np.abs(shuffled) >= abs(rho) - 1e-12).sum())
    return Correlation(
        rho=rho,
        low=float(low),
        high=float(high),
        p_value=(extreme + 1) / (resamples + 1),
        graphs=count,
        runs=sum(len(a) for a in accuracies),
    )


def spearman(x: Floats, y: Floats) -> float:
    """Pearson's correlation of the ranks, ties having their mean rank; NaN if x or y is constant.

    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([9.0, 5.0, 1.0]))
    -1.0
    """
    a, b = _ranks(x), _ranks(y)
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else float("nan")


def _ranks(values: Floats) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    return ranks


def _by_graph(table: Mapping[str, Any] | Any) -> tuple[Floats, list[Floats]]:
    """ASPL ``(graphs,)`` and each graph's accuracies, in order of first appearance."""
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise UserError(f"table has no column {missing[0]!r}; expected {', '.join(COLUMNS)}")
    labels = np.asarray(table["graph"])
    lengths = np.asarray(table["aspl"], dtype=np.float64)
    accuracies = np.asarray(table["accuracy"], dtype=np.float64)
    if np.isnan(lengths).any() or np.isnan(accuracies).any():
        raise UserError("table has NaN in aspl or accuracy; expected numbers")
    by_graph: list[Floats] = []
    points: list[float] = []
    for label in dict.fromkeys(labels.tolist()):
        rows = labels == label
        if np.ptp(lengths[rows]) > 1e-9:
            raise UserError(f"graph {label!r} has several values of aspl; expected one a graph")
        points.append(float(lengths[rows][0]))
        by_graph.append(accuracies[rows])
    if len(points) < 3:
        raise UserError(f"table has {len(points)} graphs; allowed: at least 3")
    return np.array(points), by_graph
