"""The network simplex against linear programming."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from graphprune.curvature.passes import certificates
from graphprune.curvature.simplex import solver, spanning_tree

ROUNDING = 1e-12


def transport(p: np.ndarray, q: np.ndarray, cost: np.ndarray) -> float:
    n, m = cost.shape
    rows, columns = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    solution = linprog(
        cost.ravel(), A_eq=np.vstack([rows, columns[:-1]]), b_eq=np.concatenate([p, q[:-1]])
    )
    assert solution.status == 0
    return float(solution.fun)


def base(D: np.ndarray, p: np.ndarray, q: np.ndarray):
    nodes = sum(D.shape) + 3
    tree, flow, potential = np.empty((5, nodes), np.int32), np.empty(nodes), np.empty(nodes)
    cost, _, tolerance = solver.solve_base(
        D, *D.shape, p, q, tree, flow, potential, ROUNDING * D.max()
    )
    return cost, tree, flow, potential, tolerance


def problem(seed: int, degenerate: bool):
    """Costs D, d(k, v), d(u, m), d(u, v) and masses; degenerate: few distinct numbers."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 8, 2)

    def numbers(*shape: int) -> np.ndarray:
        return rng.integers(1, 4, shape).astype(float) if degenerate else rng.random(shape) + 0.1

    p, q = (np.ones(n), np.ones(m)) if degenerate else (rng.random(n) + 0.01, rng.random(m) + 0.01)
    return numbers(n, m), numbers(n), numbers(m), float(numbers(1)[0]), p / p.sum(), q / q.sum()


cases = given(st.integers(0, 10**6), st.booleans())


@cases
@settings(max_examples=60, deadline=None)
def test_base_optimum(seed: int, degenerate: bool) -> None:
    D, _, _, _, p, q = problem(seed, degenerate)
    n, m = D.shape
    cost, tree, flow, potential, tolerance = base(D, p, q)
    assert cost == pytest.approx(transport(p, q, D), abs=1e-9)
    f, g = potential[:n], potential[n : n + m]
    assert (D - f[:, None] - g[None, :] >= -tolerance).all()
    assert p @ f + q @ g == pytest.approx(cost, abs=1e-11)
    plan = np.zeros((n, m))
    root = n + m + 2
    for node in range(n + m):
        parent = tree[spanning_tree.PARENT, node]
        if parent == root:
            assert flow[node] == 0
        else:
            plan[min(node, parent), max(node, parent) - n] += flow[node]
    np.testing.assert_allclose(plan.sum(1), p, atol=1e-14)
    np.testing.assert_allclose(plan.sum(0), q, atol=1e-14)


@cases
@settings(max_examples=60, deadline=None)
def test_edge_from_base(seed: int, degenerate: bool) -> None:
    D, to_v, from_u, direct, p, q = problem(seed, degenerate)
    n, m = D.shape
    for idle in (0.0, 0.4, 1.0):
        _, tree, flow, potential, tolerance = base(D, p, q)
        solver.add_hub(tree, flow, potential, n, m, direct, idle, 0.3)
        cost, _, _ = solver.solve_edge(
            D, n, m, to_v, from_u, direct, tree, flow, potential, tolerance
        )
        bordered = np.block([[D, to_v[:, None]], [from_u[None, :], np.array([[direct]])]])
        expected = transport(np.append(p, idle), np.append(q, idle), bordered) - idle * direct
        assert cost == pytest.approx(expected, abs=1e-9)


@cases
@settings(max_examples=60, deadline=None)
def test_hub_clips_the_costs_and_bounds_bracket(seed: int, degenerate: bool) -> None:
    """If the hub can carry all mass, W is the cost over min(D_km, d(k, v) + d(u, m) − d(u, v))."""
    D, to_v, from_u, direct, p, q = problem(seed, degenerate)
    n, m = D.shape
    cost, tree, flow, potential, tolerance = base(D, p, q)
    f, g = potential[:n].copy(), potential[n : n + m].copy()
    clipped = np.minimum(D, to_v[:, None] + from_u[None, :] - direct)
    shift = clipped.min()
    expected = transport(p, q, clipped - shift) + shift
    parents, flows = tree[spanning_tree.PARENT].copy(), flow.copy()
    low = float((from_u - g).min())
    high = direct - float((to_v - f).min())
    if high <= low:
        assert cost == pytest.approx(expected, abs=1e-9)
    else:
        below, _ = certificates.dual_bound(p, f, to_v, q, g, from_u, direct, low, high)
        assert below <= expected + 1e-9
    above = certificates.detour(D, n, m, parents, flows, to_v, from_u, direct)
    assert above >= expected - 1e-9
    excess = np.empty(m)
    certificates.excess(D, n, m, to_v, excess)
    if certificates.greatest_sum(excess, from_u) <= direct:
        assert p @ to_v + q @ from_u - direct == pytest.approx(expected, abs=1e-9)
    solver.add_hub(tree, flow, potential, n, m, direct, 1.0, 0.0)
    least, _, _ = solver.solve_edge(D, n, m, to_v, from_u, direct, tree, flow, potential, tolerance)
    assert least == pytest.approx(expected, abs=1e-9)


def test_assignment_with_ties_ends() -> None:
    """Degenerate: equal masses, two different costs, every basis full of arcs without flow."""
    rng = np.random.default_rng(0)
    for size in (40, 60):
        D = rng.integers(1, 3, (size, size)).astype(float)
        mass = np.full(size, 1 / size)
        cost, *_ = base(D, mass, mass)
        assert cost == pytest.approx(1.0)  # a random bipartite graph has a perfect matching


def test_lengths_of_very_different_size() -> None:
    """A weight close to 0: the edge is far longer than every other distance."""
    rng = np.random.default_rng(1)
    D = rng.random((30, 20)) + 1
    p, q = np.full(30, 1 / 30), np.full(20, 1 / 20)
    _, tree, flow, potential, _ = base(D, p, q)
    to_v, from_u, direct = rng.random(30), rng.random(20), 1e7
    solver.add_hub(tree, flow, potential, 30, 20, direct, 1.0, 0.0)
    cost, *_ = solver.solve_edge(
        D, 30, 20, to_v, from_u, direct, tree, flow, potential, ROUNDING * direct
    )
    assert cost / direct == pytest.approx((p @ to_v + q @ from_u) / direct - 1, abs=1e-11)
