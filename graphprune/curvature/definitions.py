"""What every curvature solver shares: measures, the supremum rule, the score of a parameter.

Neural curvature of an edge u→v of length ℓ for one example, with idleness α (arXiv 2601.16366):

    κ(u, v) = (1 − W₁(μ_u, ν_v) / ℓ) / (1 − α),
    μ_u = α δ_u + (1 − α) p,   p(k) ∝ exp(−1 / a_k²) over in-neighbours k of u with a_k > 0,
    ν_v = α δ_v + (1 − α) q,   the same over out-neighbours of v.

Numpy alone.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from graphprune.errors import UserError
from graphprune.neural_graph.structure import Connection, Floats, NeuralGraph

ALPHA = 0.9
UNDERFLOW = 1e-7
HIDDEN_SUPREMUM = 2.0
OUTER_SUPREMUM = 1.0
# an edge that does not exist (weight 0) has no curvature; such a weight is the first to go
NO_EDGE = math.inf


def check_alpha(alpha: float) -> None:
    """Raise UserError unless 0 ≤ α < 1."""
    if not 0.0 <= alpha < 1.0:
        raise UserError(f"alpha is {alpha}; allowed: 0 <= alpha < 1")


def attraction(values: Floats) -> Floats:
    """exp(−1 / a²) for vertex values a ≥ 0 of any shape; 0 where a = 0."""
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(np.exp(-1.0 / np.square(values)))


def measure(values: Floats) -> Floats:
    """p or q over neighbours with vertex values ``values``, ``(n,)``: sums to 1, or to 0.

    Proportional to exp(−1 / a²) over the active ones (a > 0). Uniform over them where the sum of
    those is at most 1e-7; all zero where none is active.
    """
    pull = attraction(values)
    total = pull.sum()
    if total <= UNDERFLOW:
        pull = (values > 0).astype(np.float64)
        total = pull.sum()
    return np.asarray(pull / total) if total > 0 else pull


def supremum(graph: NeuralGraph, connection: Connection) -> float:
    """κ of an edge that carries nothing: 2 between hidden layers, 1 at the input and output."""
    outer = connection.source == 0 or connection.target == len(graph.layers) - 1
    return OUTER_SUPREMUM if outer else HIDDEN_SUPREMUM


def inactive(graph: NeuralGraph, layer: int, values: Floats) -> npt.NDArray[np.bool_]:
    """Which vertices of ``layer`` carry nothing: hidden ones with value 0. ``(size,)``."""
    if graph.layers[layer].role != "hidden":
        return np.zeros(len(values), dtype=np.bool_)
    return values <= 0.0


def parameters(graph: NeuralGraph) -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter that has edges, in the order of the connections."""
    return {c.parameter: c.parameter_shape for c in graph.connections if c.parameter is not None}


def check_values(graph: NeuralGraph, values: list[Floats]) -> int:
    """The number of examples in ``values``, one ``(n, size)`` a layer; UserError if they misfit."""
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
