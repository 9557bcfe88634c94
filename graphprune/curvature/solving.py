"""Second pass: open edges, each from the optimum of its base problem. Compiled with numba."""

from __future__ import annotations

import numpy as np
from numba import njit

from graphprune.curvature import bounds, simplex, spanning_tree
from graphprune.curvature.blocks import (
    curvature,
    direct_distance,
    fill,
    idle_mass,
    place,
    range_of,
    take_source,
    take_target,
)
from graphprune.curvature.problem import (
    PIVOTS,
    ROUNDING,
    SOLVED,
    Problem,
    Scratch,
    Sheet,
    Store,
)
from graphprune.neural_graph.structure import Floats, Ints


@njit(cache=True, nogil=True)
def solve_edges(
    problem: Problem, store: Store, scratch: Scratch, sheet: Sheet, edges: Ints, block_of: Ints,
    out: Floats,
) -> None:  # fmt: skip
    """Exact curvature of the given open edges.

    edges: flat indices into ``sheet.lower``, ascending by (unit, block); block_of: the block of
        each; out: κ of each.
    """
    groups, cout, cin, _ = problem.length.shape
    per_unit = groups * cout * cin
    index = 0
    while index < len(edges):
        row, block = edges[index] // per_unit, block_of[index]
        end = index
        while end < len(edges) and edges[end] // per_unit == row and block_of[end] == block:
            end += 1
        _solve_block(
            problem, store, scratch, sheet, row, block, edges[index:end], out[index:end]
        )  # fmt: skip
        index = end


@njit(cache=True, nogil=True)
def _take(
    problem: Problem, scratch: Scratch, edges: Ints, g: int, s: int, t: int
) -> tuple[Ints, Ints, int, int]:
    """Take the channels of the edges, each once; rows by input and output channel, numbers."""
    _, cout, cin, _ = problem.length.shape
    x_of, y_of = np.full(cin, -1, np.int64), np.full(cout, -1, np.int64)
    bs, as_ = 0, 0
    for edge in edges:
        a, b = edge // cin % cout, edge % cin
        if y_of[a] < 0:
            take_target(problem, scratch, g, a, t, as_)
            y_of[a] = as_
            as_ += 1
        if x_of[b] < 0:
            take_source(problem, scratch, g, b, s, bs)
            x_of[b] = bs
            bs += 1
    return x_of, y_of, bs, as_


@njit(cache=True, nogil=True)
def _solve_block(
    problem: Problem, store: Store, scratch: Scratch, sheet: Sheet, row: int, block: int,
    edges: Ints, out: Floats,
) -> None:  # fmt: skip
    _, cout, cin, _ = problem.length.shape
    _, s, t, tap, p_row, q_row = place(problem, row + sheet.begin, block)
    g = problem.block_group[block]
    x_of, y_of, bs, as_ = _take(problem, scratch, edges, g, s, t)
    n, m = fill(problem, scratch, p_row, q_row, bs, as_)
    p = problem.p_mass[problem.p_start[p_row] : problem.p_start[p_row] + n]
    q = problem.q_mass[problem.q_start[q_row] : problem.q_start[q_row] + m]
    node = store.start[row * len(problem.block_group) + block]
    spanning_tree.hang(scratch.tree, n, m, store.parent[node : node + n + m])
    flow = store.flow[node : node + n + m]
    potential = store.potential[node : node + n + m]
    D, tree = scratch.D, scratch.work_tree
    work_flow, work_potential = scratch.work_flow, scratch.work_potential
    _, greatest = range_of(D, n, m)
    for index in range(len(edges)):
        a, b = edges[index] // cin % cout, edges[index] % cin
        length = problem.length[g, a, b, tap]
        direct = direct_distance(problem, scratch, x_of[b], y_of[a], length)
        to_v, from_u = scratch.to_v[y_of[a], :n], scratch.from_u[x_of[b], :m]
        low = bounds.least_difference(from_u, potential[n:])
        high = direct - bounds.least_difference(to_v, potential[:n])
        _, start = bounds.dual_bound(
            p, potential[:n], to_v, q, potential[n:], from_u, direct, low, high
        )
        for line in range(5):
            tree[line, : n + m + 3] = scratch.tree[line, : n + m + 3]
        work_flow[: n + m] = flow
        work_potential[: n + m] = potential
        simplex.add_edge(
            tree, work_flow, work_potential, n, m, direct, idle_mass(problem.alpha), start
        )
        scale = max(greatest, direct, bounds.greatest(to_v), bounds.greatest(from_u))
        cost, pivots, tolerance = simplex.solve_edge(
            D, n, m, to_v, from_u, direct, tree, work_flow, work_potential, ROUNDING * scale
        )
        out[index] = curvature(problem.alpha, cost, direct, length)
        sheet.widest[0] = max(sheet.widest[0], tolerance / length)
        sheet.counts[SOLVED] += 1
        sheet.counts[PIVOTS] += pivots
