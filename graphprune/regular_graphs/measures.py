"""What is reported of a regular graph: path lengths, their bound, the spectral gap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphprune.errors import UserError
from graphprune.regular_graphs.bounds import moore_bound

Adjacency = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Description:
    """Measures of a connected k-regular graph.

    n, k: vertices and degree.
    aspl: average shortest path length, the mean distance over all ordered pairs of vertices.
    moore_bound: no k-regular graph on n vertices has a smaller ASPL.
    gap: aspl / moore_bound − 1 (0.01 = 1 %).
    diameter: the largest distance.
    spectral_gap: k − λ₂, λ₂ the second largest eigenvalue of the adjacency matrix; at most
        k − 2√(k−1) for a family of growing n (Ramanujan graphs reach it).
    """

    n: int
    k: int
    aspl: float
    moore_bound: float
    gap: float
    diameter: int
    spectral_gap: float


def degree_of(adjacency: Adjacency) -> int:
    """The degree of a simple regular graph; UserError for any other matrix."""
    a = np.asarray(adjacency)
    if a.dtype != np.bool_ or a.ndim != 2 or a.shape[0] != a.shape[1] or not a.size:
        raise UserError(f"adjacency is {a.dtype} {a.shape}; expected a boolean (n, n) array")
    if (a != a.T).any() or a.diagonal().any():
        raise UserError("adjacency is no simple graph; expected a symmetric matrix, diagonal False")
    row_sums = a.sum(1)
    if (row_sums != row_sums[0]).any():
        raise UserError(f"adjacency has degrees {row_sums.min()} to {row_sums.max()}; expected one")
    return int(row_sums[0])


def distances(adjacency: Adjacency) -> npt.NDArray[np.int64]:
    """Shortest path lengths in edges, int64 ``(n, n)``; −1 where there is no path.

    Breadth first from all vertices at once: the ball of radius d+1 is the boolean product of the
    ball of radius d with the adjacency.
    """
    n = len(adjacency)
    edges = adjacency.astype(np.float32)
    ball = np.eye(n, dtype=np.bool_)
    result = np.where(ball, 0, -1)
    radius = 0
    while True:
        radius += 1
        new = (ball.astype(np.float32) @ edges > 0) & (result < 0)
        if not new.any():
            return result
        result[new] = radius
        ball |= new


def aspl(adjacency: Adjacency) -> float:
    """Average shortest path length over ordered pairs; UserError if the graph is not connected."""
    lengths = distances(adjacency)
    n = len(lengths)
    if (lengths < 0).any():
        raise UserError("graph is not connected; its average path length is not defined")
    return float(lengths.sum()) / (n * (n - 1)) if n > 1 else 0.0


def describe(adjacency: Adjacency) -> Description:
    """ASPL, Moore bound, gap, diameter and spectral gap of a connected simple regular graph.

    adjacency : boolean ``(n, n)``. Raises UserError if it is not symmetric, has a loop, is not
    regular or not connected.

    >>> round(describe(regular_graph(64, 4)).aspl, 2)
    2.88
    """
    k = degree_of(adjacency)
    lengths = distances(adjacency)
    length = aspl(adjacency)
    n = len(adjacency)
    bound = moore_bound(n, k)
    eigenvalues = np.linalg.eigvalsh(adjacency.astype(np.float64))
    return Description(
        n=n,
        k=k,
        aspl=length,
        moore_bound=bound,
        gap=length / bound - 1.0 if n > 1 else 0.0,
        diameter=int(lengths.max()),
        spectral_gap=float(k - eigenvalues[-2]) if n > 1 else 0.0,
    )
