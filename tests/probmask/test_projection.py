"""The projection against independent solutions, and its invariants."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from probmask_examples import QUICK, examples, network
from scipy.optimize import LinearConstraint, minimize

from graphprune import project
from graphprune.errors import UserError
from graphprune.probmask import kernels, projection, trainer

entries = st.floats(-2.0, 3.0, width=32)
vectors = arrays(np.float32, st.integers(1, 40), elements=entries)
few = settings(max_examples=60, deadline=None)


def by_breakpoints(s: np.ndarray, budget: float) -> np.ndarray:
    """Independent exact solution: the sum at every breakpoint, sorted, then interpolation."""
    s = s.astype(np.float64)
    if np.clip(s, 0, 1).sum() <= budget:
        return np.clip(s, 0, 1)
    breakpoints = np.unique(np.concatenate([s, s - 1.0, [0.0]]))
    sums = np.array([np.clip(s - v, 0, 1).sum() for v in breakpoints])
    v = np.interp(-budget, -sums, breakpoints)
    return np.clip(s - v, 0, 1)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
def test_solves_the_quadratic_program(seed: int, share: float) -> None:
    s = np.random.default_rng(seed).normal(0.5, 0.7, 12)
    budget = share * len(s)
    solution = minimize(
        lambda p: ((p - s) ** 2).sum(),
        np.full(len(s), share / 2),
        jac=lambda p: 2 * (p - s),
        method="SLSQP",
        bounds=[(0, 1)] * len(s),
        constraints=[LinearConstraint(np.ones((1, len(s))), -np.inf, budget)],
        options={"ftol": 1e-15, "maxiter": 500},
    )
    [projected] = project([torch.from_numpy(s)], budget)
    np.testing.assert_allclose(projected.numpy(), solution.x, atol=1e-6)


@few
@given(vectors, st.floats(0.0, 1.0))
def test_agrees_with_the_sorted_solution_and_is_feasible_and_idempotent(
    s: np.ndarray, share: float
) -> None:
    budget = share * len(s)
    [once] = project([torch.from_numpy(s)], budget)
    np.testing.assert_allclose(once.numpy(), by_breakpoints(s, budget), atol=2e-6)
    assert float(once.min()) >= 0.0
    assert float(once.max()) <= 1.0
    assert float(once.double().sum()) <= budget * (1 + 1e-6)
    [twice] = project([once], budget)
    np.testing.assert_allclose(twice.numpy(), once.numpy(), atol=1e-6)


def test_by_hand() -> None:
    # v = 0.2: 0.7 + 0.3 + 0 = 1
    first, second = project([torch.tensor([0.9, 0.5]), torch.tensor([[0.2]])], budget=1.0)
    torch.testing.assert_close(first, torch.tensor([0.7, 0.3]))
    torch.testing.assert_close(second, torch.tensor([[0.0]]))


def test_where_the_budget_does_not_bind_it_only_clips() -> None:
    [projected] = project([torch.tensor([-0.5, 0.25, 1.5])], budget=2.0)
    assert projected.tolist() == [0.0, 0.25, 1.0]


@pytest.mark.parametrize("n", [1_000, kernels.PARALLEL + 12_345])
@pytest.mark.parametrize("rate", [0.01, 0.5])
def test_large_vectors_meet_the_budget_to_a_millionth(n: int, rate: float) -> None:
    generator = torch.Generator().manual_seed(n)
    # what a trained network looks like: nearly all at 0 or 1, a step away from them
    s = (torch.rand(n, generator=generator) < 2 * rate).float()
    s += 0.01 * torch.randn(n, generator=generator)
    [projected] = project([s], rate * n)
    assert float(projected.double().sum()) == pytest.approx(rate * n, rel=1e-6)


def test_many_tensors_are_projected_together() -> None:
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.rand(3, 2, generator=generator) for _ in range(500)]
    one = torch.cat([tensor.flatten() for tensor in tensors])
    together = torch.cat([part.flatten() for part in project(tensors, 300.0)])
    np.testing.assert_allclose(together.numpy(), by_breakpoints(one.numpy(), 300.0), atol=1e-6)


def test_the_pass_for_other_devices_and_dtypes_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "PIECE", 100)
    s = torch.rand(1_000, generator=torch.Generator().manual_seed(0)) * 2 - 0.5
    for v in (0.0, 0.3, 0.9):
        compiled = kernels.sum_and_active(s.numpy(), v)
        assert projection._sum_and_active(s, v) == pytest.approx(compiled, rel=1e-12)
        expected = s.numpy().copy()
        kernels.clip(expected, v)
        piecewise = s.clone()
        projection._clip(piecewise, v)
        assert torch.equal(piecewise, torch.from_numpy(expected))
    [half] = project([s.half()], 100.0)
    assert half.dtype == torch.float16
    assert float(half.double().sum()) == pytest.approx(100.0, rel=1e-3)


def test_serial_and_parallel_passes_agree() -> None:
    s = np.random.default_rng(0).normal(0.5, 1.0, 300_000).astype(np.float32)
    expected = np.clip(s.astype(np.float64) - 0.25, 0, 1).sum()
    for kernel in (kernels._serial, kernels._parallel):
        total, active = kernel(s, 0.25)
        assert total == pytest.approx(expected, rel=1e-12)
        assert active == np.sum((s.astype(np.float64) > 0.25) & (s.astype(np.float64) < 1.25))


@pytest.mark.parametrize("start", [0.0, 0.2, 0.7, 50.0])
def test_any_start_leads_to_the_same_shift(start: float) -> None:
    s = torch.rand(400, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 1.5
    cold, warm = s.clone(), s.clone()
    projection.project_(cold, 40.0)
    projection.project_(warm, 40.0, start)
    torch.testing.assert_close(warm, cold, atol=1e-6, rtol=0)


def test_few_passes_are_enough() -> None:
    generator = torch.Generator().manual_seed(0)
    s = (torch.rand(100_000, generator=generator) < 0.1).double()
    s += 0.006 * torch.randn(len(s), generator=generator)
    passes = []

    def evaluate(v: float) -> tuple[float, float]:
        passes.append(v)
        return projection._sum_and_active(s, v)

    v = projection.solve(evaluate, 9_000.0)
    assert float((s - v).clamp(0, 1).sum()) == pytest.approx(9_000.0, rel=1e-6)
    assert len(passes) <= 20


@pytest.mark.parametrize("budget", [-1.0, float("nan"), float("inf")])
def test_refuses_a_budget_that_is_no_budget(budget: float) -> None:
    with pytest.raises(UserError, match="budget is"):
        project([torch.ones(3)], budget)


def test_refuses_entries_that_are_no_probabilities() -> None:
    with pytest.raises(UserError, match="not finite"):
        project([torch.tensor([0.5, float("nan")])], 1.0)
    with pytest.raises(UserError, match=r"probabilities\[1\] has dtype"):
        project([torch.ones(2), torch.ones(2, dtype=torch.int64)], 1.0)


def test_inputs_are_left_alone() -> None:
    s = torch.tensor([2.0, 0.5])
    project([s], 1.0)
    assert s.tolist() == [2.0, 0.5]
    assert project([], 1.0) == []


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ([0.5, 1.5, 0.0], r"^epoch 2: probabilities are in \[0\.0, 1\.5\]; allowed: \[0, 1\]$"),
        ([0.5, -0.25], r"in \[-0\.25, 0\.5\]"),
        ([0.5, float("nan")], r"in \[nan, nan\]"),
        ([0.5, 0.5, 0.25], r"^epoch 2: probabilities sum up to 1\.25; allowed: at most 1\.0$"),
    ],
)
def test_probabilities_that_break_the_constraint_are_refused(entries, sentence):
    with pytest.raises(UserError, match=sentence):
        projection.check_kept(torch.tensor(entries), 1.0, "epoch 2")
    assert projection.check_kept(torch.tensor([0.5, 0.5]), 1.0, "epoch 2") == 1.0


def test_a_training_checks_its_probabilities_after_every_epoch(monkeypatch):
    monkeypatch.setattr(trainer, "project_", lambda *_: 1.0)  # the budget is not kept
    with pytest.raises(UserError, match=r"^epoch \d+: probabilities "):
        trainer.train(network(), *examples(), QUICK)
