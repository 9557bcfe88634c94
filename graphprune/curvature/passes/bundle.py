"""One bundle at one site: where its arrays are, and its distances. Compiled with numba.

Both passes and the GPU path load a bundle in the same way: ``locate`` it, choose vertices u and v
with ``load_u`` and ``load_v``, then ``load_distances``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from graphprune.curvature.problem.arrays import Buffers, ConnectionProblems
from graphprune.curvature.problem.lookup import read_distances
from graphprune.neural_graph.structure import Floats


@njit(cache=True, nogil=True)
def locate(
    problems: ConnectionProblems, site: int, bundle: int
) -> tuple[int, int, int, int, int, int]:
    """(example, source position, target position, tap, row of p, row of q)."""
    example, pair = divmod(site, len(problems.pair_source))
    s, t = problems.pair_source[pair], problems.pair_target[pair]
    p_class = example * problems.source_classes + problems.bundle_source_class[bundle]
    q_class = example * problems.target_classes + problems.bundle_target_class[bundle]
    p_row = p_class * problems.source_positions + s
    q_row = q_class * problems.target_positions + t
    return example, s, t, problems.pair_tap[pair], p_row, q_row


@njit(cache=True, nogil=True)
def load_u(
    problems: ConnectionProblems, buffers: Buffers, g: int, b: int, s: int, row: int
) -> None:
    """Make input channel b of group g at position s the vertex u of ``row`` in the buffers."""
    _, _, cin, _ = problems.length.shape
    buffers.u_input[row] = b
    buffers.u_vertices.position[row] = s
    buffers.u_vertices.channel[row] = problems.source_channel + g * cin + b


@njit(cache=True, nogil=True)
def load_v(
    problems: ConnectionProblems, buffers: Buffers, g: int, a: int, t: int, row: int
) -> None:
    """Make output channel a of group g at position t the vertex v of ``row`` in the buffers."""
    _, cout, _, _ = problems.length.shape
    buffers.v_output[row] = a
    buffers.v_vertices.position[row] = t
    buffers.v_vertices.channel[row] = problems.target_channel + g * cout + a


@njit(cache=True, nogil=True)
def load_distances(
    problems: ConnectionProblems, buffers: Buffers, p_row: int, q_row: int, u_count: int,
    v_count: int,
) -> tuple[int, int]:  # fmt: skip
    """Fill D, to_v, from_u and direct for the loaded vertices; returns the sizes n and m."""
    p0, p1 = problems.p_start[p_row], problems.p_start[p_row + 1]
    q0, q1 = problems.q_start[q_row], problems.q_start[q_row + 1]
    tables, ps, qs = problems.tables, problems.p_vertices, problems.q_vertices
    us, vs = buffers.u_vertices, buffers.v_vertices
    columns = buffers.to_v_columns
    if p1 > p0:
        read_distances(tables, problems.to_v_table, ps, p0, p1, vs, 0, v_count, columns)
        for v in range(v_count):
            for k in range(p1 - p0):
                buffers.to_v[v, k] = columns[k, v]
    if q1 > q0:
        read_distances(tables, problems.from_u_table, us, 0, u_count, qs, q0, q1, buffers.from_u)
    if p1 > p0 and q1 > q0:
        read_distances(tables, problems.base_table, ps, p0, p1, qs, q0, q1, buffers.D)
    if problems.direct_table[0, 0] >= 0:
        read_distances(
            tables, problems.direct_table, us, 0, u_count, vs, 0, v_count, buffers.direct
        )
    if len(problems.factor_u) > 0:
        example = p_row // (problems.source_classes * problems.source_positions)
        for u in range(u_count):
            vertex = us.channel[u] * problems.source_positions + us.position[u]
            buffers.u_factor[u] = problems.factor_u[example, vertex]
        for v in range(v_count):
            vertex = vs.channel[v] * problems.target_positions + vs.position[v]
            buffers.v_factor[v] = problems.factor_v[example, vertex]
    return p1 - p0, q1 - q0


@njit(cache=True, nogil=True)
def edge_length(
    problems: ConnectionProblems, buffers: Buffers, u: int, v: int, length: float
) -> float:
    """ℓ(u, v) of two loaded vertices; length: that of the edge's weight, 1/|w|."""
    scaled = len(problems.factor_u) > 0
    return length / min(buffers.u_factor[u], buffers.v_factor[v]) if scaled else length


@njit(cache=True, nogil=True)
def direct_distance(
    problems: ConnectionProblems, buffers: Buffers, u: int, v: int, length: float
) -> float:
    """d(u, v) of two loaded vertices; less than the edge's length if another path is shorter.

    With factors mass that moves from u to v takes the edge (`definitions`).
    """
    stored = problems.direct_table[0, 0] >= 0 and len(problems.factor_u) == 0
    return buffers.direct[u, v] if stored else length


@njit(cache=True, nogil=True)
def kappa_of(alpha: float, cost: float, direct: float, length: float) -> float:
    """κ = 1 + α (1 − d(u,v) / ℓ) / (1 − α) − W / ℓ, where W is the cost of an edge problem.

    This is 1 − W / ℓ where the edge is itself the shortest path from u to v.
    """
    return 1.0 + alpha * (1.0 - direct / length) / (1.0 - alpha) - cost / length


@njit(cache=True, nogil=True)
def idle_mass(alpha: float) -> float:
    """α / (1 − α), the capacity of the hub; at most 1, for it never needs to carry more."""
    return min(1.0, alpha / (1.0 - alpha))


@njit(cache=True, nogil=True)
def least_and_greatest(D: Floats, n: int, m: int) -> tuple[float, float]:
    """Least and greatest entry of ``D[:n, :m]``, the greatest at least 0."""
    low, high = np.inf, 0.0
    for k in range(n):
        for j in range(m):
            low = min(low, D[k, j])
            high = max(high, D[k, j])
    return low, high
