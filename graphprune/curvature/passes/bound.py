"""First pass: solve base problems, settle or bound their edges. Compiled with numba."""

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
    BaseOptima,
    Buffers,
    ConnectionProblems,
    ThreadResults,
)
from graphprune.curvature.simplex import solver, spanning_tree
from graphprune.neural_graph.structure import Floats


@njit(cache=True, nogil=True)
def bound_sites(
    problems: ConnectionProblems, optima: BaseOptima, buffers: Buffers, results: ThreadResults,
    begin: int, end: int, share: int, shares: int,
) -> None:  # fmt: skip
    """Settle or bound all edges of the sites begin … end − 1.

    Writes ``results`` and, for each base problem, ``optima``.

    share, shares: only work on this one of so many equal shares of each bundle's output channels.
    """
    for site in range(begin, end):
        for bundle in range(len(problems.bundle_group)):
            u_count, v_count, live = _load_active(
                problems, buffers, results, site, bundle, share, shares
            )
            if live > 0:
                _bound_bundle(
                    problems, optima, buffers, results, site, bundle, u_count, v_count, share == 0
                )


@njit(cache=True, nogil=True)
def _load_active(
    problems: ConnectionProblems, buffers: Buffers, results: ThreadResults, site: int, bundle: int,
    share: int, shares: int,
) -> tuple[int, int, int]:  # fmt: skip
    """Load the active vertices and settle the inactive edges.

    Returns the numbers of vertices u, of vertices v and of live edges.
    """
    _, cout, cin, _ = problems.length.shape
    example, s, t, tap, _, _ = locate(problems, site, bundle)
    g, row = problems.bundle_group[bundle], site - results.first_site
    u_count, v_count, live = 0, 0, 0
    input_begin, input_end = problems.input_start[bundle], problems.input_start[bundle + 1]
    for b in problems.inputs[input_begin:input_end]:
        channel = problems.source_channel + g * cin + b
        if problems.active_u[example, channel * problems.source_positions + s]:
            load_u(problems, buffers, g, b, s, u_count)
            u_count += 1
    begin = problems.output_start[bundle]
    size = problems.output_start[bundle + 1] - begin
    for a in problems.outputs[
        begin + size * share // shares : begin + size * (share + 1) // shares
    ]:
        channel = problems.target_channel + g * cout + a
        active = problems.active_v[example, channel * problems.target_positions + t]
        if active:
            load_v(problems, buffers, g, a, t, v_count)
            v_count += 1
        u = 0
        for b in problems.inputs[input_begin:input_end]:
            loaded = u < u_count and buffers.u_input[u] == b
            u += loaded
            exists = problems.length[g, a, b, tap] < np.inf
            results.counts[EDGES] += exists
            if exists and active and loaded:
                live += 1
            elif exists:
                results.counts[INACTIVE] += 1
                results.best[g, a, b, tap] = min(results.best[g, a, b, tap], problems.supremum)
                if len(results.exact):
                    results.exact[row, g, a, b] = problems.supremum
    return u_count, v_count, live


@njit(cache=True, nogil=True)
def _settle(
    buffers: Buffers, results: ThreadResults, cell: tuple[int, int, int], u: int, v: int,
    kind: int, kappa: float,
) -> None:  # fmt: skip
    """Record the exact curvature of the edge u → v.

    cell: (row of the site in ``results``, group, tap); kind: index into its ``counts``.
    """
    row, g, tap = cell
    a, b = buffers.v_output[v], buffers.u_input[u]
    results.best[g, a, b, tap] = min(results.best[g, a, b, tap], kappa)
    results.counts[kind] += 1
    if len(results.exact):
        results.exact[row, g, a, b] = kappa


@njit(cache=True, nogil=True)
def _bound_bundle(
    problems: ConnectionProblems, optima: BaseOptima, buffers: Buffers, results: ThreadResults,
    site: int, bundle: int, u_count: int, v_count: int, counted: bool,
) -> None:  # fmt: skip
    """Solve the base problem, store its optimum, bound its edges.

    counted: whether this share counts the base problem, which all shares solve.
    """
    _, _, _, tap, p_row, q_row = locate(problems, site, bundle)
    n, m = load_distances(problems, buffers, p_row, q_row, u_count, v_count)
    cell = site - results.first_site, problems.bundle_group[bundle], tap
    p = problems.p_mass[problems.p_start[p_row] : problems.p_start[p_row] + n]
    q = problems.q_mass[problems.q_start[q_row] : problems.q_start[q_row] + m]
    if n == 0 or m == 0:
        _closed_forms(problems, buffers, results, cell, u_count, v_count, p, q)
        return
    least, greatest = least_and_greatest(buffers.D, n, m)
    cost, pivots, tolerance = solver.solve_base(
        buffers.D, n, m, p, q, buffers.tree, buffers.flow, buffers.potential, ROUNDING * greatest
    )
    if counted:
        results.counts[BASES] += 1
        results.counts[BASE_PIVOTS] += pivots
    node = optima.start[(site - results.first_site) * len(problems.bundle_group) + bundle]
    for i in range(n + m):
        parent = buffers.tree[spanning_tree.PARENT, i]
        optima.parent[node + i] = parent if parent < n + m else spanning_tree.NONE
        optima.flow[node + i] = buffers.flow[i]
        optima.potential[node + i] = buffers.potential[i]
    parents = optima.parent[node : node + n + m]
    _bound_edges(
        problems, buffers, results, cell, u_count, v_count, p, q, parents, cost, least, tolerance
    )


@njit(cache=True, nogil=True)
def _closed_forms(
    problems: ConnectionProblems, buffers: Buffers, results: ThreadResults,
    cell: tuple[int, int, int], u_count: int, v_count: int, p: Floats, q: Floats,
) -> None:  # fmt: skip
    """Settle all edges of a bundle where p or q is empty.

    A single mass at u then stands for an empty p, one at v for an empty q, and only one plan is
    left. It costs ⟨q, d(u, ·)⟩ if p is empty, ⟨p, d(·, v)⟩ if q is empty, d(u, v) if both are.
    """
    _, g, tap = cell
    alpha = problems.alpha
    for v in range(v_count):
        for u in range(u_count):
            length = problems.length[g, buffers.v_output[v], buffers.u_input[u], tap]
            if not length < np.inf:
                continue
            length = edge_length(problems, buffers, u, v, length)
            direct = direct_distance(problems, buffers, u, v, length)
            if len(q):
                cost = certificates.dot(q, buffers.from_u[u, : len(q)])
            elif len(p):
                cost = certificates.dot(p, buffers.to_v[v, : len(p)])
            else:
                cost = direct
            kappa = kappa_of(alpha, cost, direct, length)
            _settle(buffers, results, cell, u, v, CLOSED_FORM, kappa)


@njit(cache=True, nogil=True)
def _bound_edges(
    problems: ConnectionProblems, buffers: Buffers, results: ThreadResults,
    cell: tuple[int, int, int], u_count: int, v_count: int, p: Floats, q: Floats,
    parents: spanning_tree.Indices, base: float, least: float, tolerance: float,
) -> None:  # fmt: skip
    """Settle or bound each edge from the base optimum, by the tests of ``certificates``.

    base: cost of the base optimum; least: least entry of D; tolerance: that of the base optimum.
    """
    row, g, tap = cell
    n, m, D, alpha = len(p), len(q), buffers.D, problems.alpha
    potential_p, potential_q = buffers.potential[:n], buffers.potential[n : n + m]
    idle = idle_mass(alpha)
    # beta = min_m (c_m − g_m) for each u, gamma = max_k (f_k − d(k, v)) for each v
    beta, mean_u, top_u = np.empty(u_count), np.empty(u_count), np.empty(u_count)
    for u in range(u_count):
        from_u = buffers.from_u[u, :m]
        beta[u] = certificates.least_difference(from_u, potential_q)
        mean_u[u] = certificates.dot(q, from_u)
        top_u[u] = certificates.greatest(from_u)
    for v in range(v_count):
        to_v = buffers.to_v[v, :n]
        gamma = -certificates.least_difference(to_v, potential_p)
        mean_v = certificates.dot(p, to_v)
        top_v = certificates.greatest(to_v)
        have_excess = False
        for u in range(u_count):
            a, b = buffers.v_output[v], buffers.u_input[u]
            length = problems.length[g, a, b, tap]
            if not length < np.inf:
                continue
            length = edge_length(problems, buffers, u, v, length)
            results.kappa_tolerance[0] = max(results.kappa_tolerance[0], tolerance / length)
            direct = direct_distance(problems, buffers, u, v, length)
            from_u = buffers.from_u[u, :m]
            if gamma + direct <= beta[u]:
                kappa = kappa_of(alpha, base, direct, length)
                _settle(buffers, results, cell, u, v, BASE, kappa)
                continue
            hub = mean_v + mean_u[u] - direct
            if idle >= 1.0 and hub < base:
                optimal = top_v + top_u[u] - least <= direct
                if not optimal:
                    if not have_excess:
                        certificates.excess(D, n, m, to_v, buffers.excess)
                        have_excess = True
                    optimal = certificates.greatest_sum(buffers.excess[:m], from_u) <= direct
                if optimal:
                    kappa = kappa_of(alpha, hub, direct, length)
                    _settle(buffers, results, cell, u, v, HUB, kappa)
                    continue
            below, _ = certificates.dual_bound(
                p, potential_p, to_v, q, potential_q, from_u, direct, beta[u], gamma + direct
            )
            detour = certificates.detour(D, n, m, parents, buffers.flow, to_v, from_u, direct)
            above = min(base, (1.0 - idle) * base + idle * min(hub, detour))
            low = kappa_of(alpha, above, direct, length)
            high = kappa_of(alpha, below, direct, length)
            if high - low <= MEETS:
                _settle(buffers, results, cell, u, v, MEET, 0.5 * (low + high))
                continue
            results.counts[OPEN] += 1
            results.lower[row, g, a, b] = low
            results.best[g, a, b, tap] = min(results.best[g, a, b, tap], high)
