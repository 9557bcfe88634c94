"""The loops over transport problems of one connection. Compiled with numba.

A *unit* is one example and one pair of positions; a *block* is one class of source channels and one
of target channels (``supports.Neighbours``). Unit and block fix p, q and the base problem; the
edges of the block differ by channel alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from graphprune.curvature import bounds, simplex
from graphprune.curvature.gather import Entries, Tables, gather

# Indices into the statistics array.
EDGES, INACTIVE, CLOSED_FORM, BASE, HUB, MEET, OPEN, SOLVED, BASES, BASE_PIVOTS, PIVOTS = range(11)
STATISTICS = (
    "edges",
    "inactive",
    "closed_form",
    "base_optimal",
    "hub_optimal",
    "bounds_meet",
    "open",
    "solved",
    "base_problems",
    "base_pivots",
    "pivots",
)
ROUNDING = 2e-13
MEETS = 1e-12


class Problem(NamedTuple):
    """One connection, all that does not depend on thread or round."""

    source: np.ndarray  # (pairs,) source position
    target: np.ndarray  # (pairs,) target position
    tap: np.ndarray  # (pairs,)
    length: np.ndarray  # (groups, cout, cin, taps), inf where the weight is 0
    block_group: np.ndarray  # (blocks,)
    block_in: np.ndarray  # (blocks,) class of u
    block_out: np.ndarray  # (blocks,) class of v
    first_b: np.ndarray  # (blocks + 1,) into members_b
    first_a: np.ndarray
    members_b: np.ndarray  # input channels b within the group
    members_a: np.ndarray  # output channels a within the group
    source_channel: int
    target_channel: int
    source_positions: int
    target_positions: int
    in_classes: int
    out_classes: int
    active_u: np.ndarray  # (examples, source layer size) bool
    active_v: np.ndarray  # (examples, target layer size) bool
    p_start: np.ndarray
    p_entries: Entries
    p_mass: np.ndarray
    q_start: np.ndarray
    q_entries: Entries
    q_mass: np.ndarray
    tables: Tables
    across: np.ndarray  # (in slots, out slots) table of D
    to_v: np.ndarray  # (in slots, 1)
    from_u: np.ndarray  # (1, out slots)
    direct: np.ndarray  # (1, 1); −1 where u → v itself is the shortest path
    alpha: float
    supremum: float


class Store(NamedTuple):
    """Base optima: ``start[unit * blocks + block]`` into the node arrays."""

    start: np.ndarray
    parent: np.ndarray
    flow: np.ndarray
    potential: np.ndarray
    cost: np.ndarray  # (units * blocks,)


class Scratch(NamedTuple):
    """Buffers of one thread."""

    D: np.ndarray
    to_v: np.ndarray  # (target channels, n)
    from_u: np.ndarray  # (source channels, m)
    across: np.ndarray  # (n, target channels)
    direct: np.ndarray
    tree: np.ndarray
    flow: np.ndarray
    potential: np.ndarray
    work_tree: np.ndarray
    work_flow: np.ndarray
    work_potential: np.ndarray
    excess: np.ndarray
    b: np.ndarray
    a: np.ndarray
    sources: Entries
    targets: Entries


def scratch(problem: Problem, largest_p: int, largest_q: int) -> Scratch:
    """Buffers for problems of at most these supports."""
    _, cout, cin, _ = problem.length.shape
    n, m = max(1, largest_p), max(1, largest_q)
    nodes = n + m + 3
    ints = [np.empty((5, nodes), np.int32) for _ in range(2)]
    floats = [np.empty(nodes) for _ in range(4)]

    def entries(size: int) -> Entries:
        return Entries(*(np.zeros(size, np.int32) for _ in range(3)))

    return Scratch(
        np.empty((n, m)),
        np.empty((cout, n)),
        np.empty((cin, m)),
        np.empty((n, cout)),
        np.empty((cin, cout)),
        ints[0],
        floats[0],
        floats[1],
        ints[1],
        floats[2],
        floats[3],
        np.empty((cout, m)),
        np.empty(cin, np.int64),
        np.empty(cout, np.int64),
        entries(cin),
        entries(cout),
    )


@njit(cache=True, nogil=True, inline="always")
def _place(problem, unit, block):
    """(example, source position, target position, tap, row of p, row of q)."""
    example, pair = divmod(unit, len(problem.source))
    s, t = problem.source[pair], problem.target[pair]
    p_row = (example * problem.in_classes + problem.block_in[block]) * problem.source_positions + s
    q_row = (example * problem.out_classes + problem.block_out[block]) * problem.target_positions
    return example, s, t, problem.tap[pair], p_row, q_row + t


@njit(cache=True, nogil=True)
def _live(problem, block, example, s, t, part, parts, scratch):
    """Active input and output channels of a block, into scratch; returns their numbers."""
    _, cout, cin, _ = problem.length.shape
    g = problem.block_group[block]
    bs, as_ = 0, 0
    for at in range(problem.first_b[block], problem.first_b[block + 1]):
        b = problem.members_b[at]
        channel = problem.source_channel + g * cin + b
        if problem.active_u[example, channel * problem.source_positions + s]:
            scratch.b[bs] = b
            scratch.sources.position[bs] = s
            scratch.sources.channel[bs] = channel
            bs += 1
    first, last = problem.first_a[block], problem.first_a[block + 1]
    size = last - first
    for at in range(first + size * part // parts, first + size * (part + 1) // parts):
        a = problem.members_a[at]
        channel = problem.target_channel + g * cout + a
        if problem.active_v[example, channel * problem.target_positions + t]:
            scratch.a[as_] = a
            scratch.targets.position[as_] = t
            scratch.targets.channel[as_] = channel
            as_ += 1
    return bs, as_


@njit(cache=True, nogil=True)
def _distances(problem, scratch, p_row, q_row, bs, as_, with_base):
    """Fill D, to_v, from_u and the direct distances of a block; returns n and m."""
    p0, p1 = problem.p_start[p_row], problem.p_start[p_row + 1]
    q0, q1 = problem.q_start[q_row], problem.q_start[q_row + 1]
    tables, ps, qs = problem.tables, problem.p_entries, problem.q_entries
    if p1 > p0:
        gather(tables, problem.to_v, ps, p0, p1, scratch.targets, 0, as_, scratch.across)
        for a in range(as_):
            for k in range(p1 - p0):
                scratch.to_v[a, k] = scratch.across[k, a]
    if q1 > q0:
        gather(tables, problem.from_u, scratch.sources, 0, bs, qs, q0, q1, scratch.from_u)
    if with_base and p1 > p0 and q1 > q0:
        gather(tables, problem.across, ps, p0, p1, qs, q0, q1, scratch.D)
    if problem.direct[0, 0] >= 0:
        sources, targets = scratch.sources, scratch.targets
        gather(tables, problem.direct, sources, 0, bs, targets, 0, as_, scratch.direct)
    return p1 - p0, q1 - q0


@njit(cache=True, nogil=True, inline="always")
def _direct(problem, scratch, b, a, length):
    return scratch.direct[b, a] if problem.direct[0, 0] >= 0 else length


@njit(cache=True, nogil=True, inline="always")
def _curvature(problem, cost, direct, length):
    """κ from the cost relative to moving all idle mass directly; 1 − cost / ℓ in a chain."""
    shortcut = problem.alpha * (1.0 - direct / length) / (1.0 - problem.alpha)
    return 1.0 + shortcut - cost / length


@njit(cache=True, nogil=True)
def _idle(problem):
    """Idle mass relative to the spread mass; more than 1 is never used."""
    return min(1.0, problem.alpha / (1.0 - problem.alpha))


@njit(cache=True, nogil=True)
def _mark_inactive(problem, unit, begin, block, tap, part, parts, lower, exact, best, counts):
    """Every edge of the block as if it carried nothing; the live ones are overwritten later."""
    _, cout, cin, taps = problem.length.shape
    g = problem.block_group[block]
    first, last = problem.first_a[block], problem.first_a[block + 1]
    size = last - first
    for at in range(first + size * part // parts, first + size * (part + 1) // parts):
        a = problem.members_a[at]
        for other in range(problem.first_b[block], problem.first_b[block + 1]):
            b = problem.members_b[other]
            lower[unit - begin, g, a, b] = np.inf
            exists = problem.length[g, a, b, tap] < np.inf
            counts[EDGES] += exists
            counts[INACTIVE] += exists
            if len(exact):
                exact[unit - begin, g, a, b] = problem.supremum if exists else np.nan


@njit(cache=True, nogil=True)
def _settle(problem, scratch, unit, begin, block, tap, x, y, kind, value, exact, best, counts):
    """Record the exact curvature of an edge."""
    g, b, a = problem.block_group[block], scratch.b[x], scratch.a[y]
    best[g, a, b, tap] = min(best[g, a, b, tap], value)
    counts[kind] += 1
    if len(exact):
        exact[unit - begin, g, a, b] = value


@njit(cache=True, nogil=True)
def _without_base(problem, scratch, p_row, q_row, n, m, x, y, length, direct):
    """Curvature where p or q is empty: no transport problem is left."""
    cost = direct
    if n == 0 and m == 0:
        return (1.0 - direct / length) / (1.0 - problem.alpha)
    if n == 0:
        first = problem.q_start[q_row]
        cost = bounds.dot(problem.q_mass[first : first + m], scratch.from_u[x])
    else:
        first = problem.p_start[p_row]
        cost = bounds.dot(problem.p_mass[first : first + n], scratch.to_v[y])
    return _curvature(problem, cost, direct, length)


@njit(cache=True, nogil=True)
def bound_units(
    problem, store, scratch, begin, first, last, part, parts, lower, exact, best, counts
):
    """Bounds of all edges of the units first … last − 1.

    lower: ``(units, groups, cout, cin)`` from unit ``begin`` on: a lower bound of κ of each edge
        still open, inf for the settled ones.
    exact: the same shape or empty: κ of the settled ones.
    best: ``(groups, cout, cin, taps)``: lowered to the least upper bound of κ.
    part, parts: the share of each block's output channels to work on.
    """
    blocks = len(problem.block_group)
    for unit in range(first, last):
        for block in range(blocks):
            example, s, t, tap, p_row, q_row = _place(problem, unit, block)
            _mark_inactive(
                problem, unit, begin, block, tap, part, parts, lower, exact, best, counts
            )
            bs, as_ = _live(problem, block, example, s, t, part, parts, scratch)
            g = problem.block_group[block]
            live = 0
            for y in range(as_):
                for x in range(bs):
                    live += problem.length[g, scratch.a[y], scratch.b[x], tap] < np.inf
            counts[INACTIVE] -= live
            if live > 0:
                _bound_block(
                    problem, store, scratch, unit, begin, block, tap, p_row, q_row, bs, as_, lower,
                    exact, best, counts,
                )  # fmt: skip
            _lower_to_supremum(problem, unit, begin, block, tap, example, s, t, part, parts, best)


@njit(cache=True, nogil=True)
def _lower_to_supremum(problem, unit, begin, block, tap, example, s, t, part, parts, best):
    _, cout, cin, _ = problem.length.shape
    g = problem.block_group[block]
    first, last = problem.first_a[block], problem.first_a[block + 1]
    size = last - first
    for at in range(first + size * part // parts, first + size * (part + 1) // parts):
        a = problem.members_a[at]
        v = (problem.target_channel + g * cout + a) * problem.target_positions + t
        dead = not problem.active_v[example, v]
        for other in range(problem.first_b[block], problem.first_b[block + 1]):
            b = problem.members_b[other]
            u = (problem.source_channel + g * cin + b) * problem.source_positions + s
            if (dead or not problem.active_u[example, u]) and (
                problem.length[g, a, b, tap] < np.inf
            ):
                best[g, a, b, tap] = min(best[g, a, b, tap], problem.supremum)


@njit(cache=True, nogil=True)
def _bound_block(
    problem, store, scratch, unit, begin, block, tap, p_row, q_row, bs, as_, lower, exact, best,
    counts,
):  # fmt: skip
    n, m = _distances(problem, scratch, p_row, q_row, bs, as_, True)
    g = problem.block_group[block]
    if n == 0 or m == 0:
        for y in range(as_):
            for x in range(bs):
                length = problem.length[g, scratch.a[y], scratch.b[x], tap]
                if length < np.inf:
                    direct = _direct(problem, scratch, x, y, length)
                    value = _without_base(
                        problem, scratch, p_row, q_row, n, m, x, y, length, direct
                    )
                    _settle(
                        problem, scratch, unit, begin, block, tap, x, y, CLOSED_FORM, value, exact,
                        best, counts,
                    )  # fmt: skip
        return
    p = problem.p_mass[problem.p_start[p_row] : problem.p_start[p_row] + n]
    q = problem.q_mass[problem.q_start[q_row] : problem.q_start[q_row] + m]
    D = scratch.D
    scale = 0.0
    least = np.inf
    for k in range(n):
        scale = max(scale, bounds.greatest(D[k, :m]))
        least = min(least, -bounds.greatest(-D[k, :m]))
    cost, pivots = simplex.solve_base(
        D, n, m, p, q, scratch.tree, scratch.flow, scratch.potential, ROUNDING * scale
    )
    counts[BASES] += 1
    counts[BASE_PIVOTS] += pivots
    at = unit - begin
    at = at * len(problem.block_group) + block
    node = store.start[at]
    store.cost[at] = cost
    parents = store.parent[node : node + n + m]
    for i in range(n + m):
        parent = scratch.tree[simplex.PARENT, i]
        parents[i] = parent if parent < n + m else simplex.NONE
        store.flow[node + i] = scratch.flow[i]
        store.potential[node + i] = scratch.potential[i]
    f, g_ = scratch.potential[:n], scratch.potential[n : n + m]
    idle = _idle(problem)
    # what depends on u alone
    beta = np.empty(bs)
    mean_u = np.empty(bs)
    top_u = np.empty(bs)
    for x in range(bs):
        row = scratch.from_u[x, :m]
        beta[x] = bounds.least_difference(row, g_)
        mean_u[x] = bounds.dot(q, row)
        top_u[x] = bounds.greatest(row)
    for y in range(as_):
        to_v = scratch.to_v[y, :n]
        gamma = -bounds.least_difference(to_v, f)
        mean_v = bounds.dot(p, to_v)
        top_v = bounds.greatest(to_v)
        have_excess = False
        for x in range(bs):
            length = problem.length[g, scratch.a[y], scratch.b[x], tap]
            if not length < np.inf:
                continue
            direct = _direct(problem, scratch, x, y, length)
            from_u = scratch.from_u[x, :m]
            if gamma + direct <= beta[x]:
                _settle(
                    problem, scratch, unit, begin, block, tap, x, y, BASE,
                    _curvature(problem, cost, direct, length), exact, best, counts,
                )  # fmt: skip
                continue
            hub = mean_v + mean_u[x] - direct
            if idle >= 1.0 and hub < cost:
                served = top_v + top_u[x] - least <= direct
                if not served:
                    if not have_excess:
                        bounds.excess(D, n, m, to_v, scratch.excess[y])
                        have_excess = True
                    served = bounds.greatest_sum(scratch.excess[y, :m], from_u) <= direct
                if served:
                    _settle(
                        problem, scratch, unit, begin, block, tap, x, y, HUB,
                        _curvature(problem, hub, direct, length), exact, best, counts,
                    )  # fmt: skip
                    continue
            below, _ = bounds.dual_bound(p, f, to_v, q, g_, from_u, direct, beta[x], gamma + direct)
            through = bounds.detour(D, n, m, parents, scratch.flow, to_v, from_u, direct)
            above = min(cost, (1.0 - idle) * cost + idle * min(hub, through))
            low = _curvature(problem, above, direct, length)
            high = _curvature(problem, below, direct, length)
            if high - low <= MEETS:
                _settle(
                    problem, scratch, unit, begin, block, tap, x, y, MEET, 0.5 * (low + high),
                    exact, best, counts,
                )  # fmt: skip
                continue
            counts[OPEN] += 1
            a, b = scratch.a[y], scratch.b[x]
            lower[unit - begin, g, a, b] = low
            best[g, a, b, tap] = min(best[g, a, b, tap], high)


@njit(cache=True, nogil=True)
def solve_edges(problem, store, scratch, begin, edges, block_of, out, counts):
    """Exact curvature of the given open edges.

    edges: flat indices into ``(units, groups, cout, cin)`` from unit ``begin`` on, ascending by
        (unit, block, a, b); block_of: the block of each; out: κ of each.
    """
    groups, cout, cin, _ = problem.length.shape
    per_unit = groups * cout * cin
    index = 0
    while index < len(edges):
        unit = begin + edges[index] // per_unit
        block = block_of[index]
        end = index
        limit = (unit - begin + 1) * per_unit
        while end < len(edges) and edges[end] < limit and block_of[end] == block:
            end += 1
        _solve_block(problem, store, scratch, begin, unit, block, edges[index:end], out[index:end],
                     counts)  # fmt: skip
        index = end


@njit(cache=True, nogil=True)
def _solve_block(problem, store, scratch, begin, unit, block, edges, out, counts):
    _, cout, cin, _ = problem.length.shape
    example, s, t, tap, p_row, q_row = _place(problem, unit, block)
    g = problem.block_group[block]
    n = problem.p_start[p_row + 1] - problem.p_start[p_row]
    m = problem.q_start[q_row + 1] - problem.q_start[q_row]
    p = problem.p_mass[problem.p_start[p_row] : problem.p_start[p_row] + n]
    q = problem.q_mass[problem.q_start[q_row] : problem.q_start[q_row] + m]
    at = (unit - begin) * len(problem.block_group) + block
    node = store.start[at]
    simplex.hang(scratch.tree, n, m, store.parent[node : node + n + m])
    flow = store.flow[node : node + n + m]
    potential = store.potential[node : node + n + m]
    f, g_ = potential[:n], potential[n:]
    idle = _idle(problem)
    # the channels in question, each distance row once
    y_of = np.full(cout, -1, np.int64)
    x_of = np.full(cin, -1, np.int64)
    as_, bs = 0, 0
    for index in range(len(edges)):
        a, b = edges[index] // cin % cout, edges[index] % cin
        if y_of[a] < 0:
            y_of[a] = as_
            scratch.targets.position[as_] = t
            scratch.targets.channel[as_] = problem.target_channel + g * cout + a
            as_ += 1
        if x_of[b] < 0:
            x_of[b] = bs
            scratch.sources.position[bs] = s
            scratch.sources.channel[bs] = problem.source_channel + g * cin + b
            bs += 1
    _distances(problem, scratch, p_row, q_row, bs, as_, True)
    D = scratch.D
    scale = 0.0
    for k in range(n):
        scale = max(scale, bounds.greatest(D[k, :m]))
    nodes = n + m + 3
    for index in range(len(edges)):
        a, b = edges[index] // cin % cout, edges[index] % cin
        x, y = x_of[b], y_of[a]
        length = problem.length[g, a, b, tap]
        direct = _direct(problem, scratch, x, y, length)
        to_v, from_u = scratch.to_v[y, :n], scratch.from_u[x, :m]
        low = bounds.least_difference(from_u, g_)
        high = direct - bounds.least_difference(to_v, f)
        _, start = bounds.dual_bound(p, f, to_v, q, g_, from_u, direct, low, high)
        for i in range(nodes):
            for line in range(5):
                scratch.work_tree[line, i] = scratch.tree[line, i]
        scratch.work_flow[: n + m] = flow
        scratch.work_potential[: n + m] = potential
        scratch.work_potential[n + m + 2] = 0.0
        cost, pivots = simplex.solve_edge(
            D, n, m, to_v, from_u, direct, idle, start, scratch.work_tree, scratch.work_flow,
            scratch.work_potential, ROUNDING * scale,
        )  # fmt: skip
        out[index] = _curvature(problem, cost, direct, length)
        counts[SOLVED] += 1
        counts[PIVOTS] += pivots
