"""Second pass: solve open edges, each from the optimum of its base problem. Compiled with numba."""

from __future__ import annotations

import numpy as np
from numba import njit

from graphprune.curvature.passes import certificates
from graphprune.curvature.passes.bundle import (
    direct_distance,
    edge_length,
    idle_mass,
    kappa_of,
    least_and_greatest,
    load_distances,
    load_u,
    load_v,
    locate,
)
from graphprune.curvature.problem.arrays import (
    PIVOTS,
    ROUNDING,
    SOLVED,
    BaseOptima,
    Buffers,
    ConnectionProblems,
    ThreadResults,
)
from graphprune.curvature.simplex import solver, spanning_tree
from graphprune.neural_graph.structure import Floats, Ints


@njit(cache=True, nogil=True)
def solve_edges(
    problems: ConnectionProblems, optima: BaseOptima, buffers: Buffers, results: ThreadResults,
    edges: Ints, bundle_of: Ints, out: Floats,
) -> None:  # fmt: skip
    """Exact curvature of the given open edges.

    edges: flat indices into ``ThreadResults.lower``, ascending by (site, bundle).
    bundle_of: the bundle of each edge; out: κ of each edge.
    """
    groups, cout, cin, _ = problems.length.shape
    per_site = groups * cout * cin
    begin = 0
    while begin < len(edges):
        row, bundle = edges[begin] // per_site, bundle_of[begin]
        end = begin
        while end < len(edges) and edges[end] // per_site == row and bundle_of[end] == bundle:
            end += 1
        _solve_bundle(
            problems, optima, buffers, results, row, bundle, edges[begin:end], out[begin:end]
        )  # fmt: skip
        begin = end


@njit(cache=True, nogil=True)
def _load_ends(
    problems: ConnectionProblems, buffers: Buffers, edges: Ints, g: int, s: int, t: int
) -> tuple[Ints, Ints, int, int]:
    """Load the ends of the edges, each vertex once.

    Returns for each input channel the row of its vertex u, for each output channel that of its
    vertex v (−1 where not loaded), and the numbers of vertices u and v.
    """
    _, cout, cin, _ = problems.length.shape
    u_of, v_of = np.full(cin, -1, np.int64), np.full(cout, -1, np.int64)
    u_count, v_count = 0, 0
    for edge in edges:
        a, b = edge // cin % cout, edge % cin
        if v_of[a] < 0:
            load_v(problems, buffers, g, a, t, v_count)
            v_of[a] = v_count
            v_count += 1
        if u_of[b] < 0:
            load_u(problems, buffers, g, b, s, u_count)
            u_of[b] = u_count
            u_count += 1
    return u_of, v_of, u_count, v_count


@njit(cache=True, nogil=True)
def _solve_bundle(
    problems: ConnectionProblems, optima: BaseOptima, buffers: Buffers, results: ThreadResults,
    row: int, bundle: int, edges: Ints, out: Floats,
) -> None:  # fmt: skip
    """Exact curvature of edges of one bundle at one site; row: that of the site in ``optima``."""
    _, cout, cin, _ = problems.length.shape
    _, s, t, tap, p_row, q_row = locate(problems, row + results.first_site, bundle)
    g = problems.bundle_group[bundle]
    u_of, v_of, u_count, v_count = _load_ends(problems, buffers, edges, g, s, t)
    n, m = load_distances(problems, buffers, p_row, q_row, u_count, v_count)
    p = problems.p_mass[problems.p_start[p_row] : problems.p_start[p_row] + n]
    q = problems.q_mass[problems.q_start[q_row] : problems.q_start[q_row] + m]
    node = optima.start[row * len(problems.bundle_group) + bundle]
    spanning_tree.restore(buffers.tree, n, m, optima.parent[node : node + n + m])
    flow = optima.flow[node : node + n + m]
    potential = optima.potential[node : node + n + m]
    D, tree = buffers.D, buffers.edge_tree
    edge_flow, edge_potential = buffers.edge_flow, buffers.edge_potential
    _, greatest = least_and_greatest(D, n, m)
    for index in range(len(edges)):
        a, b = edges[index] // cin % cout, edges[index] % cin
        length = edge_length(problems, buffers, u_of[b], v_of[a], problems.length[g, a, b, tap])
        direct = direct_distance(problems, buffers, u_of[b], v_of[a], length)
        to_v, from_u = buffers.to_v[v_of[a], :n], buffers.from_u[u_of[b], :m]
        low = certificates.least_difference(from_u, potential[n:])
        high = direct - certificates.least_difference(to_v, potential[:n])
        _, start = certificates.dual_bound(
            p, potential[:n], to_v, q, potential[n:], from_u, direct, low, high
        )
        for line in range(5):
            tree[line, : n + m + 3] = buffers.tree[line, : n + m + 3]
        edge_flow[: n + m] = flow
        edge_potential[: n + m] = potential
        solver.add_hub(
            tree, edge_flow, edge_potential, n, m, direct, idle_mass(problems.alpha), start
        )
        scale = max(greatest, direct, certificates.greatest(to_v), certificates.greatest(from_u))
        cost, pivots, tolerance = solver.solve_edge(
            D, n, m, to_v, from_u, direct, tree, edge_flow, edge_potential, ROUNDING * scale
        )
        out[index] = kappa_of(problems.alpha, cost, direct, length)
        results.kappa_tolerance[0] = max(results.kappa_tolerance[0], tolerance / length)
        results.counts[SOLVED] += 1
        results.counts[PIVOTS] += pivots
