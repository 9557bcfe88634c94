"""Intervals of the torch path, on the CPU, against the exact optimum."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from curvature.random_networks import network
from hypothesis import given, settings
from hypothesis import strategies as st

from graphprune.curvature.exact import parameter_curvatures
from graphprune.curvature.gpu import intervals as intervals_module
from graphprune.curvature.gpu import parameters
from graphprune.curvature.gpu.intervals import Batch, intervals, min_plus
from graphprune.curvature.simplex import solver
from graphprune.errors import UserError

SLACK = 1e-9


def random_batch(seed: int, problems: int = 3) -> Batch:
    """Problems of different size, padded with masses of 0; one edge is missing."""
    rng = np.random.default_rng(seed)
    n, m, targets, sources = 6, 5, 4, 3
    p, q = rng.random((problems, n)) + 0.01, rng.random((problems, m)) + 0.01
    for i in range(problems):
        p[i, rng.integers(1, n + 1) :] = 0
        q[i, rng.integers(1, m + 1) :] = 0
    length = rng.random((problems, targets, sources)) * 4 + 0.05
    length[0, 0, 0] = np.inf
    arrays = (
        *(rng.random((problems, n, m)) * 3 + 0.1, p / p.sum(1, keepdims=True)),
        *(q / q.sum(1, keepdims=True), rng.random((problems, targets, n)) * 2),
        *(rng.random((problems, sources, m)) * 2, length),
    )
    return Batch(*(torch.from_numpy(array) for array in arrays))


def exact(batch: Batch, alpha: float) -> np.ndarray:
    """κ of every edge by the network simplex."""
    cost, p, q, to_v, from_u, length = (
        array.numpy()
        for array in (batch.cost, batch.p, batch.q, batch.to_v, batch.from_u, batch.length)
    )
    direct = length if batch.direct is None else batch.direct.numpy()
    kappa = np.full(length.shape, np.nan)
    for i, target, source in np.argwhere(np.isfinite(length)):
        rows, columns = p[i] > 0, q[i] > 0
        D = np.ascontiguousarray(cost[i][np.ix_(rows, columns)])
        n, m = D.shape
        tree, flow, potential = (np.empty((5, n + m + 3), np.int32), *np.empty((2, n + m + 3)))
        solver.solve_base(D, n, m, p[i][rows], q[i][columns], tree, flow, potential, 1e-12)
        shortest, edge = direct[i, target, source], length[i, target, source]
        idle = min(1.0, alpha / (1 - alpha))
        solver.add_hub(tree, flow, potential, n, m, shortest, idle, 0.0)
        ends = to_v[i, target][rows].copy(), from_u[i, source][columns].copy()
        least, _, _ = solver.solve_edge(D, n, m, *ends, shortest, tree, flow, potential, 1e-12)
        kappa[i, target, source] = 1 + alpha * (1 - shortest / edge) / (1 - alpha) - least / edge
    return kappa


@given(st.integers(0, 10**6), st.sampled_from([0, 1, 30]), st.sampled_from([0.0, 0.3, 0.9]))
@settings(max_examples=25, deadline=None)
def test_intervals_bracket(seed: int, iterations: int, alpha: float) -> None:
    batch = random_batch(seed)
    kappa, expected = intervals(batch, alpha, iterations), exact(batch, alpha)
    np.testing.assert_array_equal(np.isnan(kappa.lower.numpy()), np.isnan(expected))
    exists = np.isfinite(expected)
    room = SLACK * (1 + np.abs(expected[exists]))
    assert (kappa.lower.numpy()[exists] <= expected[exists] + room).all()
    assert (kappa.upper.numpy()[exists] >= expected[exists] - room).all()


def test_shorter_way_between_the_ends() -> None:
    batch = random_batch(5)
    direct = torch.where(torch.isfinite(batch.length), 0.6 * batch.length, batch.length)
    batch = Batch(batch.cost, batch.p, batch.q, batch.to_v, batch.from_u, batch.length, direct)
    kappa, expected = intervals(batch), exact(batch, 0.9)
    exists = np.isfinite(expected)
    assert (kappa.lower.numpy()[exists] <= expected[exists] + SLACK).all()
    assert (kappa.upper.numpy()[exists] >= expected[exists] - SLACK).all()


def test_iterations_and_smoothing_narrow() -> None:
    batch = random_batch(7)

    def width(**options: float) -> float:
        kappa = intervals(batch, **options)  # type: ignore[arg-type]
        return float(torch.nanmean(kappa.upper - kappa.lower))

    rough, fine = width(iterations=0, smoothing=0.1), width(iterations=500, smoothing=0.01)
    assert fine < 0.3 * rough
    assert fine < 0.05


def test_min_plus(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = torch.rand(2, 7, 4), torch.rand(2, 4, 5)
    expected = (a[:, :, :, None] + b[:, None, :, :]).min(2).values
    torch.testing.assert_close(min_plus(a, b), expected)
    monkeypatch.setattr(intervals_module, "CHUNK", 100)
    torch.testing.assert_close(min_plus(a, b), expected)


def test_bad_options() -> None:
    with pytest.raises(UserError, match="iterations is -1"):
        intervals(random_batch(0), iterations=-1)
    with pytest.raises(UserError, match="smoothing is 0"):
        intervals(random_batch(0), smoothing=0)


@pytest.mark.parametrize("name", ["branches", "grouped", "dense", "pooled"])
@pytest.mark.parametrize("alpha", [0.3, 0.9])
def test_parameter_intervals_hold_the_exact_minimum(
    name: str, alpha: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parameters, "ENTRIES", 2_000)  # several batches, and bundles in pieces
    graph, layer_values = network(name, 29, "sparse", count=2)
    sharp = parameter_curvatures(graph, layer_values, alpha, threads=1)
    bounds = parameters.parameter_intervals(graph, layer_values, alpha, iterations=30)
    assert bounds.keys() == sharp.kappa.keys()
    for key, (lower, upper) in bounds.items():
        kappa, error = sharp.kappa[key], sharp.error[key] + SLACK
        np.testing.assert_array_equal(np.isinf(lower), np.isinf(kappa))
        exists = np.isfinite(kappa)
        assert (lower[exists] <= (kappa + error)[exists]).all()
        assert (upper[exists] >= (kappa - error)[exists]).all()
