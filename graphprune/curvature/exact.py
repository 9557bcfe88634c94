"""Exact neural curvature of every edge, or of every parameter, of a neural graph.

These functions go through the connections of the graph and leave each to ``passes.driver``.

Paper: arXiv 2601.16366. The identities used: ``docs/curvature.md`` and ``passes.certificates``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from graphprune.curvature.definitions import check_alpha, check_factors, check_values
from graphprune.curvature.passes.driver import ConnectionSolver, Workers
from graphprune.curvature.problem.arrays import STATISTICS
from graphprune.curvature.problem.distances import Distances
from graphprune.defaults import ALPHA
from graphprune.errors import UserError
from graphprune.neural_graph.structure import Connection, Floats, NeuralGraph

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CurvatureResult:
    """Least curvature of every weight.

    kappa: κ_min by parameter name, float64 of the parameter's shape; inf where the weight is 0.
    error: by parameter name, of the same shape: certified bound of \\|kappa − exact value\\|.
    statistics: how many edges each test settled, how many were solved or skipped, how many base
        problems and pivots there were; seconds.
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
    factors: list[Floats] | None = None,
) -> CurvatureResult:
    """κ_min of every weight: the least κ over the positions that share it and over the examples.

    κ(u, v) = (1 − W₁(μ_u, ν_v) / ℓ(u, v)) / (1 − α), see ``definitions``.

    Parameters
    ----------
    graph : the network's neural graph.
    values : one float64 ``(examples, layer.size)`` a layer, in [0, 1].
    alpha : idleness, 0 ≤ α < 1.
    tolerance : 0 solves until the minimum is exact (up to rounding, see ``error``); otherwise the
        solver stops when it is certain to within ± tolerance.
    threads : number of threads, by default all cores; results do not depend on it.
    factors : of every vertex, in (0, 1], shaped as ``values``: ℓ(u, v) is then 1/|w| divided by the
        lesser of u's and v's; see ``definitions``.

    Returns
    -------
    ``CurvatureResult``.

    Raises
    ------
    UserError : alpha, tolerance, threads, values or factors out of range.

    Paper: arXiv 2601.16366.

    >>> parameter_curvatures(graph, values).kappa["fc1.weight"]
    """
    check_alpha(alpha)
    check_values(graph, values)
    check_factors(values, factors)
    if not tolerance >= 0.0:
        raise UserError(f"tolerance is {tolerance}; allowed: tolerance >= 0")
    began = perf_counter()
    result = CurvatureResult({}, {})
    totals = np.zeros(len(STATISTICS), np.int64)
    with Workers(threads) as workers:
        distances = Distances(graph, workers.pool)
        for index, connection in enumerate(graph.connections):
            if connection.parameter is None:
                continue
            distances.keep_only(_needed(graph, connection))
            solver = ConnectionSolver(
                graph, index, values, alpha, distances, workers, totals, factors
            )
            least, error = solver.minimum(tolerance)
            name, shape = connection.parameter, connection.parameter_shape
            least, error = least.reshape(shape), error.reshape(shape)
            if name in result.kappa:  # one weight used by several layers
                error = np.maximum(error, result.error[name])
                least = np.minimum(least, result.kappa[name])
            result.kappa[name], result.error[name] = least, error
            seconds = perf_counter() - began
            count = len(graph.connections)
            logger.info("curvature of %s, %d of %d, after %.1f s", name, index + 1, count, seconds)
    for name, total in zip(STATISTICS, totals, strict=True):
        result.statistics[name] = float(total)
    statistics = result.statistics
    statistics["skipped_by_bounds"] = statistics["open"] - statistics["solved"]
    statistics["seconds"] = perf_counter() - began
    return result


def edge_curvatures(
    graph: NeuralGraph,
    values: list[Floats],
    alpha: float = ALPHA,
    threads: int | None = None,
    factors: list[Floats] | None = None,
) -> list[Floats]:
    """κ of every edge that belongs to a parameter, for one example.

    Parameters
    ----------
    graph : the network's neural graph.
    values : one float64 ``(layer.size,)`` a layer, in [0, 1].
    alpha : idleness, 0 ≤ α < 1.
    threads : number of threads, by default all cores; results do not depend on it.
    factors : as in `parameter_curvatures`, of that example.

    Returns
    -------
    For each connection of the graph float64 ``(groups, cout, cin, pairs)``: NaN where the weight is
    0, and everywhere in a connection without a parameter.

    Raises
    ------
    UserError : alpha, threads, values or factors out of range.

    Paper: arXiv 2601.16366.

    >>> kappa = edge_curvatures(graph, [layer[0] for layer in values])
    """
    check_alpha(alpha)
    values = [np.atleast_2d(layer_values) for layer_values in values]
    check_values(graph, values)
    if factors is not None:
        factors = [np.atleast_2d(of_layer) for of_layer in factors]
    check_factors(values, factors)
    totals = np.zeros(len(STATISTICS), np.int64)
    curvatures: list[Floats] = []
    with Workers(threads) as workers:
        distances = Distances(graph, workers.pool)
        for index, connection in enumerate(graph.connections):
            if connection.parameter is None:
                shape = *connection.weight.shape[:3], len(connection.pairs)
                curvatures.append(np.full(shape, np.nan))
                continue
            distances.keep_only(_needed(graph, connection))
            solver = ConnectionSolver(
                graph, index, values, alpha, distances, workers, totals, factors
            )
            curvatures.append(solver.every_edge())
    return curvatures


def _needed(graph: NeuralGraph, connection: Connection) -> set[int]:
    """Layers whose distance tables this connection or a later one still reads."""
    later = range(connection.source, len(graph.layers))
    return set(later) | {c.source for layer in later for c in graph.incoming(layer)}
