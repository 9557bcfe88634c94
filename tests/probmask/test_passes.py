"""ProbMask's compiled passes against its torch functions and against numpy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from graphprune.probmask import kernels, relaxation
from graphprune.probmask.passes import Passes


def uniform(start: int, count: int) -> list[float]:
    """SplitMix64 as published, in Python's integers: 24 leading bits and half a step."""
    numbers = []
    for index in range(start, start + count):
        z = index * 0x9E3779B97F4A7C15 % 2**64
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        numbers.append((((z ^ (z >> 31)) >> 40) + 0.5) / 2**24)
    return numbers


def vectors(n: int = 3_000) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities with 0, 1 and the numbers beside them, weights, gradients."""
    generator = torch.Generator().manual_seed(0)
    s = torch.rand(n, generator=generator)
    s[:6] = torch.tensor([0.0, 1.0, 1e-38, 1e-7, 1.0 - 2.0**-24, 0.5])
    s[6::5], s[7::5] = 0.0, 1.0
    weights, gradient = (torch.randn(n, generator=generator) for _ in range(2))
    return s, weights, gradient


@pytest.mark.parametrize("temperature", [1.0, 0.3, 0.03])
def test_draws_and_gradients_are_those_of_the_relaxation(temperature: float) -> None:
    s, weights, gradient = vectors()
    passes = Passes(s, seed=4)
    for_weights, for_s = torch.zeros_like(s), torch.zeros_like(s)
    expected_weights, expected_s = torch.zeros_like(s), torch.zeros_like(s)
    mask, masked = torch.empty_like(s), torch.empty_like(s)
    for draw in range(2):
        start = passes.first + draw * len(s)
        passes.draw(s, weights, temperature, mask, masked)
        noise = torch.tensor(uniform(start, len(s)), dtype=torch.float64).logit()
        exact = relaxation.relax(relaxation.logits(s.double()), noise, temperature)
        exact[exact < relaxation.FAINT] = 0.0
        torch.testing.assert_close(mask, exact.float(), rtol=2e-4, atol=1e-6)
        assert torch.equal(mask[s == 0], torch.zeros(int((s == 0).sum())))
        assert torch.equal(mask[s == 1], torch.ones(int((s == 1).sum())))
        assert torch.equal(masked, weights * mask)
        expected_weights += gradient * mask
        expected_s += relaxation.through_mask(gradient * weights, mask)
        taken = gradient.clone()
        passes.gather(taken, mask, weights, for_weights, for_s)
        assert torch.count_nonzero(taken) == 0
    passes.close(for_s, s, temperature)
    relaxation.through_probability(expected_s, s, temperature)
    torch.testing.assert_close(for_weights, expected_weights)
    torch.testing.assert_close(for_s, expected_s, rtol=1e-4, atol=1e-5 / temperature)
    assert passes.drawn == 2 * len(s)


def test_dtypes_without_kernels_go_through_torch() -> None:
    s, weights, gradient = (vector.to(torch.bfloat16) for vector in vectors())
    passes = Passes(s, seed=0)
    assert not passes.compiled
    torch.manual_seed(0)
    mask, masked = torch.empty_like(s), torch.empty_like(s)
    passes.draw(s, weights, 0.3, mask, masked)
    torch.manual_seed(0)
    drawn = relaxation.draw(relaxation.logits(s), 0.3, torch.empty_like(s))
    assert torch.equal(mask, relaxation.without_faint_(drawn))
    assert torch.equal(masked, weights * mask)
    for_weights, for_s = torch.zeros_like(s), torch.zeros_like(s)
    passes.gather(gradient.clone(), mask, weights, for_weights, for_s)
    passes.close(for_s, s, 0.3)
    torch.testing.assert_close(for_weights, gradient * mask)
    assert torch.count_nonzero(for_s[s == 0]) == 0


@pytest.mark.parametrize("seed", [0, 1])
def test_noise_is_uniform_and_independent_from_number_to_number(seed: int) -> None:
    n = 200_000
    half = torch.full((n,), 0.5)
    odds = torch.empty(n, dtype=torch.float64)
    kernels.odds(half.double().numpy(), Passes(half, seed).first, odds.numpy())
    u = (odds / (1 + odds)).numpy()
    counts = np.histogram(u, bins=100, range=(0, 1))[0]
    # χ² with 99 degrees of freedom: mean 99, standard deviation 14
    assert abs(((counts - n / 100) ** 2 / (n / 100)).sum() - 99) < 5 * 14
    for lag in (1, 2, 7, 64):
        assert abs(np.corrcoef(u[:-lag], u[lag:])[0, 1]) < 5 / np.sqrt(n)


def test_seeds_have_noise_of_their_own() -> None:
    like = torch.ones(1)
    first = {Passes(like, seed).first for seed in range(100)}
    assert len(first) == 100
    ordered = sorted(first)
    # no two streams meet within 1e12 numbers
    assert min(b - a for a, b in pairwise(ordered)) > 10**12


def test_threads_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    s, weights, gradient = vectors()
    found = []
    for entries in (1, len(s) + 1):
        monkeypatch.setattr(kernels, "PARALLEL", entries)
        passes = Passes(s, seed=1)
        mask, masked, for_weights, for_s = (torch.zeros_like(s) for _ in range(4))
        passes.draw(s, weights, 0.2, mask, masked)
        passes.gather(gradient.clone(), mask, weights, for_weights, for_s)
        passes.close(for_s, s, 0.2)
        found.append((mask, masked, for_weights, for_s))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("temperature", [1.0, 0.1])
def test_share_of_masks_above_a_half_is_the_probability(temperature: float) -> None:
    torch.manual_seed(0)
    for s in (0.1, 0.5, 0.85):
        probabilities = torch.full((40_000,), s)
        mask = torch.empty(40_000)
        for compiled in (True, False):
            passes = Passes(mask, seed=0)
            passes.compiled = compiled
            passes.draw(probabilities, probabilities, temperature, mask, torch.empty(40_000))
            assert float((mask > 0.5).float().mean()) == pytest.approx(s, abs=0.01)


@pytest.mark.parametrize("temperature", [1.0, 0.3, 0.03])
@pytest.mark.parametrize("compiled", [True, False])
def test_a_weight_that_is_out_never_contributes(temperature: float, compiled: bool) -> None:
    s = torch.tensor([0.0, 1.0]).repeat(50_000)
    passes = Passes(s, seed=0)
    passes.compiled = compiled
    mask, masked = torch.empty_like(s), torch.empty_like(s)
    passes.draw(s, torch.randn_like(s), temperature, mask, masked)
    assert torch.equal(mask, s)
    assert torch.count_nonzero(masked[::2]) == 0
    for_weights, gradient = torch.zeros_like(s), torch.zeros_like(s)
    passes.gather(torch.randn_like(s), mask, torch.randn_like(s), for_weights, gradient)
    passes.close(gradient, s, temperature)
    assert torch.count_nonzero(gradient) == 0
