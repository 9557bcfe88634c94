"""Primal network simplex for transport problems. Compiled with numba.

A *base problem* moves p (n supply nodes k) to q (m demand nodes) at costs D. An *edge problem* adds
to it the *hub* of one edge u → v: the supply node u and the demand node v, both with the idle mass,
and the arcs k → v, u → m and u → v. Mass may then take the *detour* k → v, u → m instead of the arc
k → m. Every basis of the base problem, extended by u → v, is a feasible basis of the edge problem.
So each edge starts from the base optimum and pivots only where an arc of u or v makes it cheaper.

Nodes are numbered 0…n−1 (supply), n…n+m−1 (demand), n+m (u), n+m+1 (v), n+m+2 (root). The spanning
tree hangs from an artificial root that nothing leaves, so an arc into it carries no flow. Trees are
*strongly feasible* (every arc without flow points to the root) and the leaving arc is the last
blocking one of the cycle, which excludes cycling (Cunningham 1976).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from graphprune.curvature.simplex.spanning_tree import (
    DEPTH,
    NONE,
    PARENT,
    Indices,
    empty_tree,
    link,
    pivot,
)
from graphprune.neural_graph.structure import Floats, Ints

# After this many pivots per node, arcs can look profitable because of rounding alone.
PATIENCE = 200

_FAST = {"nnan", "nsz", "reassoc", "contract", "arcp"}


@njit(cache=True, nogil=True, fastmath=_FAST)
def _row_minimum(row: Floats, g: Floats, m: int) -> float:
    """min(row − g)."""
    best = np.inf
    for j in range(m):
        best = min(best, row[j] - g[j])
    return best


@njit(cache=True, nogil=True)
def _row_entry(row: Floats, g: Floats, m: int, bound: float) -> int:
    """First j with row[j] − g[j] ≤ bound; NONE if there is none."""
    for j in range(m):
        if row[j] - g[j] <= bound:
            return j
    return NONE


@njit(cache=True, nogil=True)
def _greedy(D: Floats, n: int, m: int, p: Floats, q: Floats) -> tuple[Ints, Ints, Floats]:
    """A feasible forest: each supply node in turn fills its cheapest demand nodes.

    Returns its arcs as arrays (k, j, flow > 0).
    """
    need = q[:m].copy()
    g = D[0, :m].copy()
    for k in range(1, n):
        for j in range(m):
            g[j] = min(g[j], D[k, j])
    tails = np.empty(n + 2 * m, np.int64)
    heads = np.empty(n + 2 * m, np.int64)
    flows = np.empty(n + 2 * m)
    arcs = 0
    for k in range(n):
        left = p[k]
        while left > 0.0:
            best, head = np.inf, NONE
            for j in range(m):
                if need[j] > 0.0 and D[k, j] - g[j] < best:
                    best, head = D[k, j] - g[j], j
            if head == NONE:
                break
            moved = min(left, need[head])
            tails[arcs], heads[arcs], flows[arcs] = k, head, moved
            arcs += 1
            left -= moved
            need[head] -= moved
    for j in range(m):
        if need[j] == q[j]:  # rounding used up the supply; the mass of j is no larger than rounding
            best, tail = np.inf, 0
            for k in range(n):
                if D[k, j] < best:
                    best, tail = D[k, j], k
            tails[arcs], heads[arcs], flows[arcs] = tail, j, q[j]
            arcs += 1
    return tails[:arcs], heads[:arcs], flows[:arcs]


@njit(cache=True, nogil=True)
def _root_forest(
    D: Floats,
    n: int,
    m: int,
    arcs: tuple[Ints, Ints, Floats],
    tree: Indices,
    flow: Floats,
    potential: Floats,
) -> None:
    """Hang each tree of the forest from the root by one of its supply nodes; set potentials.

    arcs: (k, j, flow) as ``_greedy`` returns them.
    """
    tails, heads, flows = arcs
    root = n + m + 2
    empty_tree(tree, root + 1)
    # linked lists of the arcs at each node: arc i is entry 2 i at its tail, 2 i + 1 at its head
    first = np.full(n + m, NONE, np.int64)
    after = np.full(2 * len(tails), NONE, np.int64)
    for arc in range(len(tails)):
        k, j = tails[arc], n + heads[arc]
        after[2 * arc], first[k] = first[k], 2 * arc
        after[2 * arc + 1], first[j] = first[j], 2 * arc + 1
    stack = np.empty(n + m, np.int64)
    potential[root] = 0.0
    for start in range(n):
        if tree[PARENT, start] != NONE:
            continue
        link(tree, start, root)
        tree[DEPTH, start] = 1
        flow[start] = 0.0
        potential[start] = 0.0
        stack[0], size = start, 1
        while size > 0:
            size -= 1
            node = stack[size]
            entry = first[node]
            while entry != NONE:
                arc = entry >> 1
                k, j = tails[arc], heads[arc]
                other = n + j if node == k else k
                if other != tree[PARENT, node]:
                    link(tree, other, node)
                    tree[DEPTH, other] = tree[DEPTH, node] + 1
                    flow[other] = flows[arc]
                    potential[other] = D[k, j] - potential[node]
                    stack[size] = other
                    size += 1
                entry = after[entry]


@njit(cache=True, nogil=True)
def solve_base(
    D: Floats,
    n: int,
    m: int,
    p: Floats,
    q: Floats,
    tree: Indices,
    flow: Floats,
    potential: Floats,
    tolerance: float,
) -> tuple[float, int, float]:
    """Optimal transport of p to q at costs D; fills the tree, its flows and potentials.

    D: ``(n, m)`` or larger; p ``(n,)``, q ``(m,)``: positive masses of equal sum.
    tree: int32 ``(5, n + m + 3)``; flow, potential: float64 ``(n + m + 3,)``.

    Returns (cost, number of pivots, tolerance). The cost is optimal to within the tolerance, since
    ``D[k, j] - potential[k] - potential[n + j] >= -tolerance`` for every arc. The tolerance grows
    beyond the given one if rounding would otherwise make the pivots go on for ever.
    """
    _root_forest(D, n, m, _greedy(D, n, m, p, q), tree, flow, potential)
    pivots, clean, k = 0, 0, 0
    limit = PATIENCE * (n + m)
    g = potential[n : n + m]
    while clean < n:
        if pivots > limit:
            tolerance, limit = 10.0 * tolerance, 2 * limit
        least = _row_minimum(D[k], g, m)
        if least - potential[k] < -tolerance:
            j = _row_entry(D[k], g, m, least)
            pivot(tree, flow, potential, k, n + j, least - potential[k], n, n + m)
            pivots += 1
            clean = 0
        else:
            clean += 1
            k = k + 1 if k + 1 < n else 0
    return base_cost(D, n, m, tree, flow), pivots, tolerance


@njit(cache=True, nogil=True)
def base_cost(D: Floats, n: int, m: int, tree: Indices, flow: Floats) -> float:
    """Cost of the tree's flow."""
    cost = 0.0
    for k in range(n):
        if flow[k] > 0.0:
            cost += flow[k] * D[k, tree[PARENT, k] - n]
    for j in range(m):
        cost += flow[n + j] * D[tree[PARENT, n + j], j]
    return cost


@njit(cache=True, nogil=True)
def add_hub(
    tree: Indices,
    flow: Floats,
    potential: Floats,
    n: int,
    m: int,
    direct: float,
    idle: float,
    start: float,
) -> None:
    """Add u → v, which carries all ``idle`` mass, to the tree of a base optimum.

    direct: d(u, v); start: potential of u, which may be any number.
    """
    u, v, root = n + m, n + m + 1, n + m + 2
    link(tree, u, root)
    link(tree, v, u)
    tree[DEPTH, u], tree[DEPTH, v] = 1, 2
    flow[u], flow[v] = 0.0, idle
    potential[u], potential[v], potential[root] = start, direct - start, 0.0


@njit(cache=True, nogil=True)
def solve_edge(
    D: Floats,
    n: int,
    m: int,
    to_v: Floats,
    from_u: Floats,
    direct: float,
    tree: Indices,
    flow: Floats,
    potential: Floats,
    tolerance: float,
) -> tuple[float, int, float]:
    """Solve the problem of one edge, from any feasible tree with its potentials (``add_hub``).

    to_v: d(k, v) ``(n,)``; from_u: d(u, m) ``(m,)``; direct: d(u, v). Returns as ``solve_base``
    (cost, number of pivots, tolerance), where cost = least cost − idle mass · d(u, v).
    """
    u = n + m
    v = u + 1
    pivots, clean, k = 0, 0, 0
    limit = PATIENCE * (n + m)
    f, g = potential[:n], potential[n : n + m]
    while True:
        if pivots > limit:
            tolerance, limit = 10.0 * tolerance, 2 * limit
        least, i, j = _hub_entry(to_v, from_u, direct, f, g, potential[u], potential[v], n, m)
        if least < -tolerance:
            pivot(tree, flow, potential, i, j, least, n, u)
            pivots += 1
            clean = 0
            continue
        while clean < n:
            least = _row_minimum(D[k], g, m)
            if least - f[k] < -tolerance:
                j = _row_entry(D[k], g, m, least)
                pivot(tree, flow, potential, k, n + j, least - f[k], n, u)
                pivots += 1
                clean = 0
                break
            clean += 1
            k = k + 1 if k + 1 < n else 0
        if clean >= n:
            break
    return _edge_cost(D, n, m, to_v, from_u, direct, tree, flow), pivots, tolerance


@njit(cache=True, nogil=True)
def _hub_entry(
    to_v: Floats,
    from_u: Floats,
    direct: float,
    f: Floats,
    g: Floats,
    potential_u: float,
    potential_v: float,
    n: int,
    m: int,
) -> tuple[float, int, int]:
    """The arc from u or into v of least reduced cost: (that cost, its tail, its head)."""
    best, i, j = direct - potential_u - potential_v, n + m, n + m + 1
    for demand in range(m):
        reduced = from_u[demand] - potential_u - g[demand]
        if reduced < best:
            best, i, j = reduced, n + m, n + demand
    for supply in range(n):
        reduced = to_v[supply] - f[supply] - potential_v
        if reduced < best:
            best, i, j = reduced, supply, n + m + 1
    return best, i, j


@njit(cache=True, nogil=True)
def _edge_cost(
    D: Floats,
    n: int,
    m: int,
    to_v: Floats,
    from_u: Floats,
    direct: float,
    tree: Indices,
    flow: Floats,
) -> float:
    """Cost of the tree's flow without the cost of moving all idle mass from u to v."""
    u, v = n + m, n + m + 1
    cost = 0.0
    for k in range(n):
        if flow[k] > 0.0:
            j = tree[PARENT, k]
            cost += flow[k] * (to_v[k] - direct if j == v else D[k, j - n])
    for j in range(m):
        k = tree[PARENT, n + j]
        cost += flow[n + j] * (from_u[j] if k == u else D[k, j])
    # the arcs to the parents of u and v: that of u may be a demand node, that of v a supply node
    if tree[PARENT, u] != v and flow[u] > 0.0:
        cost += flow[u] * from_u[tree[PARENT, u] - n]
    if tree[PARENT, v] != u:
        cost += flow[v] * (to_v[tree[PARENT, v]] - direct)
    return cost
