"""First pass: solve base problems, bound the curvature of their edges. Compiled with numba."""

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
    BASE,
    BASE_PIVOTS,
    BASES,
    CLOSED_FORM,
    EDGES,
    HUB,
    INACTIVE,
    MEET,
    MEETS,
    OPEN,
    ROUNDING,
    Problem,
    Scratch,
    Sheet,
    Store,
)
from graphprune.neural_graph.structure import Floats


@njit(cache=True, nogil=True)
def bound_units(
    problem: Problem, store: Store, scratch: Scratch, sheet: Sheet, first: int, last: int,
    part: int, parts: int,
) -> None:  # fmt: skip
    """Settle or bound all edges of the units first … last − 1; see ``Sheet`` for what is written.

    part, parts: the share of each block's output channels to work on.
    """
    for unit in range(first, last):
        for block in range(len(problem.block_group)):
            bs, as_, live = _sort_out(problem, scratch, sheet, unit, block, part, parts)
            if live > 0:
                _bound_block(problem, store, scratch, sheet, unit, block, bs, as_, part == 0)


@njit(cache=True, nogil=True)
def _sort_out(
    problem: Problem, scratch: Scratch, sheet: Sheet, unit: int, block: int, part: int, parts: int
) -> tuple[int, int, int]:
    """Settle the inactive edges, take the active channels; their numbers and that of live edges."""
    _, cout, cin, _ = problem.length.shape
    example, s, t, tap, _, _ = place(problem, unit, block)
    g, row = problem.block_group[block], unit - sheet.begin
    bs, as_, live = 0, 0, 0
    b_first, b_last = problem.first_b[block], problem.first_b[block + 1]
    for b in problem.members_b[b_first:b_last]:
        channel = problem.source_channel + g * cin + b
        if problem.active_u[example, channel * problem.source_positions + s]:
            take_source(problem, scratch, g, b, s, bs)
            bs += 1
    first, size = problem.first_a[block], problem.first_a[block + 1] - problem.first_a[block]
    for a in problem.members_a[first + size * part // parts : first + size * (part + 1) // parts]:
        channel = problem.target_channel + g * cout + a
        active = problem.active_v[example, channel * problem.target_positions + t]
        if active:
            take_target(problem, scratch, g, a, t, as_)
            as_ += 1
        x = 0
        for b in problem.members_b[b_first:b_last]:
            taken = x < bs and scratch.b[x] == b
            x += taken
            exists = problem.length[g, a, b, tap] < np.inf
            sheet.counts[EDGES] += exists
            if exists and active and taken:
                live += 1
            elif exists:
                sheet.counts[INACTIVE] += 1
                sheet.best[g, a, b, tap] = min(sheet.best[g, a, b, tap], problem.supremum)
                if len(sheet.exact):
                    sheet.exact[row, g, a, b] = problem.supremum
    return bs, as_, live


@njit(cache=True, nogil=True)
def _settle(
    scratch: Scratch, sheet: Sheet, where: tuple[int, int, int], x: int, y: int, kind: int,
    value: float,
) -> None:  # fmt: skip
    """Record the exact curvature of an edge; where: (row, group, tap)."""
    row, g, tap = where
    a, b = scratch.a[y], scratch.b[x]
    sheet.best[g, a, b, tap] = min(sheet.best[g, a, b, tap], value)
    sheet.counts[kind] += 1
    if len(sheet.exact):
        sheet.exact[row, g, a, b] = value


@njit(cache=True, nogil=True)
def _bound_block(
    problem: Problem, store: Store, scratch: Scratch, sheet: Sheet, unit: int, block: int, bs: int,
    as_: int, counted: bool,
) -> None:  # fmt: skip
    _, _, _, tap, p_row, q_row = place(problem, unit, block)
    n, m = fill(problem, scratch, p_row, q_row, bs, as_)
    where = unit - sheet.begin, problem.block_group[block], tap
    p = problem.p_mass[problem.p_start[p_row] : problem.p_start[p_row] + n]
    q = problem.q_mass[problem.q_start[q_row] : problem.q_start[q_row] + m]
    if n == 0 or m == 0:
        _closed_forms(problem, scratch, sheet, where, bs, as_, p, q)
        return
    least, greatest = range_of(scratch.D, n, m)
    cost, pivots, tolerance = simplex.solve_base(
        scratch.D, n, m, p, q, scratch.tree, scratch.flow, scratch.potential, ROUNDING * greatest
    )
    if counted:
        sheet.counts[BASES] += 1
        sheet.counts[BASE_PIVOTS] += pivots
    node = store.start[(unit - sheet.begin) * len(problem.block_group) + block]
    for i in range(n + m):
        parent = scratch.tree[spanning_tree.PARENT, i]
        store.parent[node + i] = parent if parent < n + m else spanning_tree.NONE
        store.flow[node + i] = scratch.flow[i]
        store.potential[node + i] = scratch.potential[i]
    parents = store.parent[node : node + n + m]
    _bound_edges(problem, scratch, sheet, where, bs, as_, p, q, parents, cost, least, tolerance)


@njit(cache=True, nogil=True)
def _closed_forms(
    problem: Problem, scratch: Scratch, sheet: Sheet, where: tuple[int, int, int], bs: int,
    as_: int, p: Floats, q: Floats,
) -> None:  # fmt: skip
    """Blocks where p or q is empty: no transport problem is left."""
    _, g, tap = where
    alpha = problem.alpha
    for y in range(as_):
        for x in range(bs):
            length = problem.length[g, scratch.a[y], scratch.b[x], tap]
            if not length < np.inf:
                continue
            direct = direct_distance(problem, scratch, x, y, length)
            if len(q):
                cost = bounds.dot(q, scratch.from_u[x, : len(q)])
            elif len(p):
                cost = bounds.dot(p, scratch.to_v[y, : len(p)])
            else:
                cost = direct
            value = curvature(alpha, cost, direct, length)
            _settle(scratch, sheet, where, x, y, CLOSED_FORM, value)


@njit(cache=True, nogil=True)
def _bound_edges(
    problem: Problem, scratch: Scratch, sheet: Sheet, where: tuple[int, int, int], bs: int,
    as_: int, p: Floats, q: Floats, parents: spanning_tree.Indices, base: float, least: float,
    tolerance: float,
) -> None:  # fmt: skip
    """Certificates and bounds of ``bounds`` for each edge of a block with base optimum."""
    row, g, tap = where
    n, m, D, alpha = len(p), len(q), scratch.D, problem.alpha
    f, potential_q = scratch.potential[:n], scratch.potential[n : n + m]
    idle = idle_mass(alpha)
    beta, mean_u, top_u = np.empty(bs), np.empty(bs), np.empty(bs)
    for x in range(bs):
        from_u = scratch.from_u[x, :m]
        beta[x] = bounds.least_difference(from_u, potential_q)
        mean_u[x] = bounds.dot(q, from_u)
        top_u[x] = bounds.greatest(from_u)
    for y in range(as_):
        to_v = scratch.to_v[y, :n]
        gamma = -bounds.least_difference(to_v, f)
        mean_v = bounds.dot(p, to_v)
        top_v = bounds.greatest(to_v)
        have_excess = False
        for x in range(bs):
            a, b = scratch.a[y], scratch.b[x]
            length = problem.length[g, a, b, tap]
            if not length < np.inf:
                continue
            sheet.widest[0] = max(sheet.widest[0], tolerance / length)
            direct = direct_distance(problem, scratch, x, y, length)
            from_u = scratch.from_u[x, :m]
            if gamma + direct <= beta[x]:
                value = curvature(alpha, base, direct, length)
                _settle(scratch, sheet, where, x, y, BASE, value)
                continue
            hub = mean_v + mean_u[x] - direct
            if idle >= 1.0 and hub < base:
                served = top_v + top_u[x] - least <= direct
                if not served:
                    if not have_excess:
                        bounds.excess(D, n, m, to_v, scratch.excess)
                        have_excess = True
                    served = bounds.greatest_sum(scratch.excess[:m], from_u) <= direct
                if served:
                    value = curvature(alpha, hub, direct, length)
                    _settle(scratch, sheet, where, x, y, HUB, value)
                    continue
            below, _ = bounds.dual_bound(
                p, f, to_v, q, potential_q, from_u, direct, beta[x], gamma + direct
            )
            through = bounds.detour(D, n, m, parents, scratch.flow, to_v, from_u, direct)
            above = min(base, (1.0 - idle) * base + idle * min(hub, through))
            low = curvature(alpha, above, direct, length)
            high = curvature(alpha, below, direct, length)
            if high - low <= MEETS:
                _settle(scratch, sheet, where, x, y, MEET, 0.5 * (low + high))
                continue
            sheet.counts[OPEN] += 1
            sheet.lower[row, g, a, b] = low
            sheet.best[g, a, b, tap] = min(sheet.best[g, a, b, tap], high)
