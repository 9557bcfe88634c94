"""What bounding and solving a block have in common. Compiled with numba."""

from __future__ import annotations

import numpy as np
from numba import njit

from graphprune.curvature.gather import gather
from graphprune.curvature.problem import Problem, Scratch


@njit(cache=True, nogil=True)
def place(problem: Problem, unit: int, block: int) -> tuple[int, int, int, int, int, int]:
    """(example, source position, target position, tap, row of p, row of q)."""
    example, pair = divmod(unit, len(problem.source))
    s, t = problem.source[pair], problem.target[pair]
    p_row = (example * problem.in_classes + problem.block_in[block]) * problem.source_positions + s
    q_row = (example * problem.out_classes + problem.block_out[block]) * problem.target_positions
    return example, s, t, problem.tap[pair], p_row, q_row + t


@njit(cache=True, nogil=True)
def take_source(problem: Problem, scratch: Scratch, g: int, b: int, s: int, row: int) -> None:
    """Make input channel b at position s the vertex of a row of ``from_u``."""
    _, _, cin, _ = problem.length.shape
    scratch.b[row] = b
    scratch.sources.position[row] = s
    scratch.sources.channel[row] = problem.source_channel + g * cin + b


@njit(cache=True, nogil=True)
def take_target(problem: Problem, scratch: Scratch, g: int, a: int, t: int, row: int) -> None:
    """Make output channel a at position t the vertex of a row of ``to_v``."""
    _, cout, _, _ = problem.length.shape
    scratch.a[row] = a
    scratch.targets.position[row] = t
    scratch.targets.channel[row] = problem.target_channel + g * cout + a


@njit(cache=True, nogil=True)
def fill(
    problem: Problem, scratch: Scratch, p_row: int, q_row: int, bs: int, as_: int
) -> tuple[int, int]:
    """Distances of the first ``bs`` sources and ``as_`` targets taken; returns n and m."""
    p0, p1 = problem.p_start[p_row], problem.p_start[p_row + 1]
    q0, q1 = problem.q_start[q_row], problem.q_start[q_row + 1]
    tables, ps, qs = problem.tables, problem.p_entries, problem.q_entries
    sources, targets = scratch.sources, scratch.targets
    if p1 > p0:
        gather(tables, problem.to_v, ps, p0, p1, targets, 0, as_, scratch.across)
        for y in range(as_):
            for k in range(p1 - p0):
                scratch.to_v[y, k] = scratch.across[k, y]
    if q1 > q0:
        gather(tables, problem.from_u, sources, 0, bs, qs, q0, q1, scratch.from_u)
    if p1 > p0 and q1 > q0:
        gather(tables, problem.across, ps, p0, p1, qs, q0, q1, scratch.D)
    if problem.direct[0, 0] >= 0:
        gather(tables, problem.direct, sources, 0, bs, targets, 0, as_, scratch.direct)
    return p1 - p0, q1 - q0


@njit(cache=True, nogil=True)
def direct_distance(problem: Problem, scratch: Scratch, x: int, y: int, length: float) -> float:
    """d(u, v): less than the edge's length where another way is shorter."""
    return scratch.direct[x, y] if problem.direct[0, 0] >= 0 else length


@njit(cache=True, nogil=True)
def curvature(alpha: float, cost: float, direct: float, length: float) -> float:
    """κ from the cost of the spread mass alone, idle mass moving directly being free.

    1 − cost / ℓ where u → v is itself the shortest path.
    """
    return 1.0 + alpha * (1.0 - direct / length) / (1.0 - alpha) - cost / length


@njit(cache=True, nogil=True)
def idle_mass(alpha: float) -> float:
    """Idle mass relative to the spread mass; more than 1 would never be used."""
    return min(1.0, alpha / (1.0 - alpha))


@njit(cache=True, nogil=True)
def range_of(D: np.ndarray, n: int, m: int) -> tuple[float, float]:  # type: ignore[type-arg]
    """Least and greatest entry."""
    low, high = np.inf, 0.0
    for k in range(n):
        for j in range(m):
            low = min(low, D[k, j])
            high = max(high, D[k, j])
    return low, high
