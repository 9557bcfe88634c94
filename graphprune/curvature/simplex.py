"""Primal network simplex for transport problems, compiled with numba.

A *base* problem moves p (n sources) to q (m sinks) at costs D. An edge u → v adds one source u and
one sink v of equal mass (the idle mass of the two measures) and the arcs u→m, k→v, u→v; every
basis of the base problem is a feasible basis of the edge's, so each edge starts from the base
optimum and only pivots where u or v pays.

Nodes are numbered 0…n−1 (sources), n…n+m−1 (sinks), n+m (u), n+m+1 (v), n+m+2 (root). The spanning
tree hangs from an artificial root that nothing leaves, so an arc into it carries no flow. Trees are
*strongly feasible* (every arc without flow points to the root) and the leaving arc is the last
blocking one of the cycle, which excludes cycling (Cunningham 1976).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from graphprune.curvature.spanning_tree import DEPTH, NONE, PARENT, Indices, empty_tree, link, pivot
from graphprune.neural_graph.structure import Floats, Ints

# Pivots per node after which only rounding can still make arcs look profitable.
PATIENCE = 200

_FAST = {"nnan", "nsz", "reassoc", "contract", "arcp"}


@njit(cache=True, nogil=True, fastmath=_FAST)
def _row_minimum(row: Floats, g: Floats, m: int) -> float:
    best = np.inf
    for j in range(m):
        best = min(best, row[j] - g[j])
    return best


@njit(cache=True, nogil=True)
def _row_entry(row: Floats, g: Floats, m: int, bound: float) -> int:
    for j in range(m):
        if row[j] - g[j] <= bound:
            return j
    return NONE


@njit(cache=True, nogil=True)
def _greedy(D: Floats, n: int, m: int, p: Floats, q: Floats) -> tuple[Ints, Ints, Floats]:
    """A feasible forest as arcs (source, sink, flow > 0): sources fill the cheapest free sinks."""
    need = q[:m].copy()
    g = D[0, :m].copy()
    for k in range(1, n):
        for j in range(m):
            g[j] = min(g[j], D[k, j])
    sources = np.empty(n + 2 * m, np.int64)
    sinks = np.empty(n + 2 * m, np.int64)
    flows = np.empty(n + 2 * m)
    arcs = 0
    for k in range(n):
        left = p[k]
        while left > 0.0:
            best, sink = np.inf, NONE
            for j in range(m):
                if need[j] > 0.0 and D[k, j] - g[j] < best:
                    best, sink = D[k, j] - g[j], j
            if sink == NONE:
                break
            moved = min(left, need[sink])
            sources[arcs], sinks[arcs], flows[arcs] = k, sink, moved
            arcs += 1
            left -= moved
            need[sink] -= moved
    for j in range(m):
        if need[j] == q[j]:  # rounding left nothing for it; its own mass is of rounding's size
            best, source = np.inf, 0
            for k in range(n):
                if D[k, j] < best:
                    best, source = D[k, j], k
            sources[arcs], sinks[arcs], flows[arcs] = source, j, q[j]
            arcs += 1
    return sources[:arcs], sinks[:arcs], flows[:arcs]


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
    """Hang the forest of the arcs from the root, each part by one source; set potentials."""
    sources, sinks, flows = arcs
    root = n + m + 2
    empty_tree(tree, root + 1)
    head = np.full(n + m, NONE, np.int64)
    after = np.full(2 * len(sources), NONE, np.int64)
    for arc in range(len(sources)):
        k, j = sources[arc], n + sinks[arc]
        after[2 * arc], head[k] = head[k], 2 * arc
        after[2 * arc + 1], head[j] = head[j], 2 * arc + 1
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
            half = head[node]
            while half != NONE:
                arc = half >> 1
                k, j = sources[arc], sinks[arc]
                other = n + j if node == k else k
                if other != tree[PARENT, node]:
                    link(tree, other, node)
                    tree[DEPTH, other] = tree[DEPTH, node] + 1
                    flow[other] = flows[arc]
                    potential[other] = D[k, j] - potential[node]
                    stack[size] = other
                    size += 1
                half = after[half]


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

    D: ``(n, m)``; p, q: positive masses of equal sum. Returns (cost, number of pivots, tolerance):
    on return ``D[k, j] - potential[k] - potential[n + j] >= -tolerance`` for every arc, so the cost
    is optimal to within tolerance. It is widened where rounding makes the pivots go round.
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
def add_edge(
    tree: Indices,
    flow: Floats,
    potential: Floats,
    n: int,
    m: int,
    direct: float,
    idle: float,
    start: float,
) -> None:
    """Hang u → v, which carries all ``idle`` mass, beside a base optimum; u's potential is free."""
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
    """The bordered problem of one edge, from any feasible tree with its potentials.

    to_v: d(k, v) ``(n,)``; from_u: d(u, m) ``(m,)``; direct: d(u, v). Returns (least cost
    − idle mass · direct, number of pivots, tolerance) as ``solve_base`` does.
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
    """The arc from u or into v of least reduced cost."""
    best, i, j = direct - potential_u - potential_v, n + m, n + m + 1
    for sink in range(m):
        reduced = from_u[sink] - potential_u - g[sink]
        if reduced < best:
            best, i, j = reduced, n + m, n + sink
    for source in range(n):
        reduced = to_v[source] - f[source] - potential_v
        if reduced < best:
            best, i, j = reduced, source, n + m + 1
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
    u, v = n + m, n + m + 1
    cost = 0.0
    for k in range(n):
        if flow[k] > 0.0:
            j = tree[PARENT, k]
            cost += flow[k] * (to_v[k] - direct if j == v else D[k, j - n])
    for j in range(m):
        k = tree[PARENT, n + j]
        cost += flow[n + j] * (from_u[j] if k == u else D[k, j])
    # u's and v's own arcs: u may hang under a sink, v under a source.
    if tree[PARENT, u] != v and flow[u] > 0.0:
        cost += flow[u] * from_u[tree[PARENT, u] - n]
    if tree[PARENT, v] != u:
        cost += flow[v] * (to_v[tree[PARENT, v]] - direct)
    return cost
