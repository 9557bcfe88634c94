"""ProbMask's training: gradients, budget, modes, and the step to a tighter sparsity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from probmask_examples import QUICK, examples, network
from torch import nn
from torch.nn import functional

from graphprune.errors import UserError
from graphprune.methods import Result
from graphprune.methods.probmask import ProbMask
from graphprune.probmask import kernels, schedule
from graphprune.probmask.settings import Settings
from graphprune.probmask.trainer import _Trainer, train


def test_gradients_of_a_step_against_autograd() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    trainer = _Trainer(model, Settings(draws=3, clip=1e9), epochs=1)
    trainer.probabilities.uniform_(0.1, 0.9)
    x, y = torch.randn(7, 5, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1, 2, 0])
    trainer._gradients(x, y, 0.5, dense=False)

    w = trainer.weights.detach().clone().requires_grad_()
    s = trainer.probabilities.detach().clone().requires_grad_()
    noise = torch.empty(3 * w.numel(), dtype=torch.float64)
    # the odds at s = ½ are those of the noise alone
    kernels.odds(torch.full_like(noise, 0.5).numpy(), trainer.passes.first, noise.numpy())
    loss = torch.zeros((), dtype=torch.float64)
    for part in noise.log().split(w.numel()):
        masked = w * torch.sigmoid((torch.log(s) - torch.log(1 - s) + part) / 0.5)
        named = trainer.binding.named(masked)
        outputs = torch.func.functional_call(model, named, x)
        loss = loss + functional.cross_entropy(outputs, y) / 3
    loss.backward()
    torch.testing.assert_close(trainer.weights.grad, w.grad)
    torch.testing.assert_close(trainer.probabilities.grad, s.grad)


def test_expected_sparsity_follows_the_schedule() -> None:
    x, y = examples()
    settings = replace(QUICK, epochs=10)
    trainer = _Trainer(network(), settings, 10)
    torch.manual_seed(0)
    for step in range(40):
        done = step / 40
        trainer.step(x[:20], y[:20], done)
        allowed = schedule.keep_rate(done, 0.2, settings.ramp_start, settings.ramp_end)
        density = float(trainer.probabilities.double().mean())
        assert density <= allowed * (1 + 1e-6)
        if done <= settings.ramp_end:
            assert density == pytest.approx(allowed, rel=1e-3)


@pytest.mark.parametrize("initialisation", ["signed_constant", "kaiming"])
def test_supermask_leaves_the_weights_bit_identical(initialisation: str) -> None:
    x, y = examples()
    settings = replace(QUICK, mode="supermask", initialisation=initialisation)
    model = network()
    trained = train(model, x, y, settings)
    torch.manual_seed(settings.seed)
    start = _Trainer(model, settings, epochs=1)
    assert torch.equal(trained.weights, start.weights)
    assert not torch.equal(trained.probabilities, start.probabilities)
    own, new = trained.binding.model, start.binding.model
    for (name, a), (_, b) in zip(own.named_parameters(), new.named_parameters(), strict=True):
        assert torch.equal(a, b), name
    if initialisation == "signed_constant":
        # fan-in 9: ±√(2/9)
        values = trained.binding.named(trained.weights)["0.weight"].unique()
        np.testing.assert_allclose(values.numpy(), [-((2 / 9) ** 0.5), (2 / 9) ** 0.5], rtol=1e-6)


def test_scratch_forgets_the_given_weights_and_checkpoint_does_not() -> None:
    x, y = examples()
    for mode, same in (("scratch", True), ("checkpoint", False)):
        settings = replace(QUICK, mode=mode, epochs=1)
        first, second = (train(network(seed), x, y, settings).weights for seed in (0, 1))
        assert torch.equal(first, second) is same


def test_a_loss_that_is_not_a_number_stops_with_the_step() -> None:
    x, y = examples()
    x[:] = float("nan")
    with pytest.raises(UserError, match=r"loss is nan in epoch 1, step 1; lower learning_rate"):
        train(network(), x, y, QUICK)


def test_half_precision_computes_the_passes_alone_in_bfloat16() -> None:
    x, y = examples()
    seen = []
    model = network()
    model[7].register_forward_hook(lambda *call: seen.append(call[2].dtype))
    full, half = (
        train(model, x, y, replace(QUICK, epochs=2, precision=precision))
        for precision in ("float32", "bfloat16")
    )
    assert set(seen[: len(seen) // 2]) == {torch.float32}
    assert set(seen[len(seen) // 2 :]) == {torch.bfloat16}
    assert half.weights.dtype == half.probabilities.dtype == torch.float32
    assert not torch.equal(half.weights, full.weights)
    torch.testing.assert_close(half.weights, full.weights, rtol=0.1, atol=0.05)


def test_budget_falls_from_that_of_the_looser_training() -> None:
    x, y = examples()
    loose = train(network(), x, y, replace(QUICK, sparsity=0.6))
    start = loose.onward()
    settings = replace(QUICK, sparsity=0.9)
    trainer = _Trainer(network(), settings, 10, start)
    assert torch.equal(trainer.probabilities, loose.probabilities)
    assert torch.equal(trainer.weights, loose.weights)
    densities = []
    for step in range(40):
        trainer.step(x[:20], y[:20], step / 40)
        allowed = schedule.keep_rate(step / 40, 0.1, 0.16, 0.6, initial=0.4)
        densities.append(float(trainer.probabilities.double().mean()))
        assert densities[-1] <= allowed * (1 + 1e-6)
        assert densities[-1] <= 0.4 * (1 + 1e-6)
    assert densities[-1] == pytest.approx(0.1, rel=0.02)
    # the start is a copy
    assert torch.equal(start.probabilities["0.weight"].flatten(), loose.probabilities[:36])


def test_refuses_to_go_on_to_a_looser_sparsity_or_another_network() -> None:
    x, y = examples()
    start = train(network(), x, y, replace(QUICK, epochs=1)).onward()
    with pytest.raises(UserError, match=r"sparsity is 0\.5, of the training it goes on from 0\.8"):
        train(network(), x, y, replace(QUICK, sparsity=0.5), start=start)
    with pytest.raises(UserError, match="another network"):
        train(
            torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 3)),
            x,
            y,
            replace(QUICK, sparsity=0.9),
            start=start,
        )
    with pytest.raises(UserError, match="only go on from a result of probmask"):
        ProbMask().run_after(Result({}, onward="else"), network(), x, y)
