"""What every curvature solver shares: the measures, the supremum rule, checks of the arguments.

Neural curvature of an edge u→v of length ℓ for one example, with idleness α (arXiv 2601.16366):

    κ(u, v) = (1 − W₁(μ_u, ν_v) / ℓ) / (1 − α),
    μ_u = α δ_u + (1 − α) p,   p(k) ∝ exp(−1 / a_k²) over in-neighbours k of u with a_k > 0,
    ν_v = α δ_v + (1 − α) q,   the same over out-neighbours of v.

An edge u→v is *inactive* for an example where u or v is a hidden vertex of value 0; its κ is the
supremum. The score of a weight is κ_min, the least κ over its edges and the examples. Numpy alone.

With *factors*, one for each vertex and example, ℓ(u, v) = 1 / (|w| · min(that of u, that of v)).
Mass that moves from u to v pays this length, and κ divides by it; all other distances are those of
the lengths 1/|w|. So does the official code for tanh, where the factor of a vertex is tanh(z) / z
(`graphprune.neural_graph.vertex_values.tanh_factors`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from graphprune.errors import UserError
from graphprune.neural_graph.structure import Connection, Floats, NeuralGraph

UNDERFLOW = 1e-7
HIDDEN_SUPREMUM = 2.0
OUTER_SUPREMUM = 1.0
# A weight of 0 makes no edge and has no curvature. With this value it is pruned first.
NO_EDGE = math.inf
# what rounding may add to a curvature
ROUNDING = 1e-6


def check_alpha(alpha: float) -> None:
    """Raise UserError unless 0 ≤ α < 1."""
    if not 0.0 <= alpha < 1.0:
        raise UserError(f"alpha is {alpha}; allowed: 0 <= alpha < 1")


def attraction(values: Floats) -> Floats:
    """exp(−1 / a²) for vertex values a ≥ 0 of any shape; 0 where a = 0."""
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(np.exp(-1.0 / np.square(values)))


def measure(values: Floats) -> Floats:
    """p or q over neighbours with vertex values ``values``, float64 ``(n,)``; of the same shape.

    Proportional to exp(−1 / a²) over the active neighbours (a > 0), with sum 1. If the exponentials
    add up to at most 1e-7, it is uniform over the active neighbours. If none is active, it is 0.
    """
    mass = attraction(values)
    total = mass.sum()
    if total <= UNDERFLOW:
        mass = (values > 0).astype(np.float64)
        total = mass.sum()
    return np.asarray(mass / total) if total > 0 else mass


def supremum(graph: NeuralGraph, connection: Connection) -> float:
    """κ of the connection's inactive edges: 2 between hidden layers, 1 at the input and output."""
    outer = connection.source == 0 or connection.target == len(graph.layers) - 1
    return OUTER_SUPREMUM if outer else HIDDEN_SUPREMUM


def bounds(graph: NeuralGraph, alpha: float) -> dict[str, float]:
    """The largest κ that an edge of each parameter can have, by its name.

    W₁ ≥ 0 gives κ ≤ 1/(1 − α), and inactive edges have the supremum. In a chain, whose connections
    lead from one layer to the next and never beside one another, an edge is the shortest path
    between its ends. There W₁ ≥ (2α − 1)·ℓ, or α·ℓ at the input and the output, so that no edge is
    above the supremum.

    >>> bounds(trace(mlp, (1, 8, 8)).graph, 0.9)
    {'fc1.weight': 1.0, 'fc2.weight': 2.0, 'fc3.weight': 1.0}
    """
    check_alpha(alpha)
    joined = {(c.source, c.target) for c in graph.connections}
    chain = len(joined) == len(graph.connections) and all(t == s + 1 for s, t in joined)
    above: dict[str, float] = {}
    for connection in graph.connections:
        if connection.parameter is not None:
            own = supremum(graph, connection)
            bound = own if chain and _joins_once(connection) else max(own, 1.0 / (1.0 - alpha))
            above[connection.parameter] = max(above.get(connection.parameter, bound), bound)
    return above


def _joins_once(connection: Connection) -> bool:
    ends = connection.pairs[:, :2]
    return len(np.unique(ends, axis=0)) == len(ends)


def check_bounds(
    kappa: Mapping[str, Floats], graph: NeuralGraph, alpha: float, slack: float = ROUNDING
) -> None:
    """UserError unless every κ_min in ``kappa`` is a number and at most its bound.

    kappa: by parameter name; `NO_EDGE` for weights without an edge. slack: what rounding, and the
    error that a solver certifies, may add.
    """
    above = bounds(graph, alpha)
    for name, least in kappa.items():
        wrong = least[~((least <= above[name] + slack) | (least == NO_EDGE))]
        if wrong.size:
            raise UserError(
                f"curvature of {name} is {wrong[0]:g} at {wrong.size} weights; "
                f"allowed: at most {above[name]:g}"
            )


def inactive(graph: NeuralGraph, layer: int, values: Floats) -> npt.NDArray[np.bool_]:
    """Which vertices of ``layer`` are inactive: hidden ones of value 0. Boolean ``(size,)``.

    values: float64 ``(size,)``, those of one example.
    """
    if graph.layers[layer].role != "hidden":
        return np.zeros(len(values), dtype=np.bool_)
    return values <= 0.0


def check_factors(values: Sequence[Floats], factors: Sequence[Floats] | None) -> None:
    """Raise UserError unless ``factors`` are None, or in (0, 1] and shaped as ``values``."""
    if factors is None:
        return
    if [array.shape for array in factors] != [array.shape for array in values]:
        raise UserError("factors have other shapes than values; expected one for each vertex")
    if not all(((array > 0) & (array <= 1)).all() for array in factors):
        raise UserError("factors lie outside (0, 1] or are NaN")


def check_values(graph: NeuralGraph, values: list[Floats]) -> int:
    """The number of examples in ``values``, one float64 ``(examples, layer.size)`` a layer.

    Raises UserError if their number or shapes do not fit the graph, if one lies outside [0, 1], or
    if there is no example.
    """
    if len(values) != len(graph.layers):
        raise UserError(f"values of {len(values)} layers; the graph has {len(graph.layers)}")
    count = len(values[0])
    for layer, array in zip(graph.layers, values, strict=True):
        if array.shape != (count, layer.size):
            raise UserError(
                f"values of layer {layer.name} have shape {array.shape}; "
                f"expected {(count, layer.size)}"
            )
        if not ((array >= 0) & (array <= 1)).all():
            raise UserError(f"values of layer {layer.name} lie outside [0, 1] or are NaN")
    if count == 0:
        raise UserError("values hold no example; at least one is needed")
    return count
