"""ProbMask's relaxation, schedules, training, final mask and checkpoints."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from probmask_examples import QUICK, examples, network
from torch import Tensor, nn
from torch.nn import functional

import graphprune
from graphprune.errors import UserError
from graphprune.methods import build
from graphprune.methods.probmask import PAPER, ProbMask
from graphprune.probmask import kernels, relaxation, schedule
from graphprune.probmask.binding import Binding
from graphprune.probmask.final import decidedness, finish
from graphprune.probmask.passes import Passes
from graphprune.probmask.settings import Settings
from graphprune.probmask.trainer import _Trainer, train


def test_schedules_by_hand() -> None:
    at = [schedule.keep_rate(d, 0.1, start=0.16, end=0.6) for d in (0.0, 0.159, 0.38, 0.6, 0.99)]
    assert at == pytest.approx([1.0, 1.0, 0.1 + 0.9 / 8, 0.1, 0.1])
    assert schedule.temperature(0.0, 1.0, 0.03) == 1.0
    assert schedule.temperature(0.5, 1.0, 0.03) == pytest.approx(0.515)
    assert [schedule.cosine(d) for d in (0.0, 0.5)] == pytest.approx([1.0, 0.5])


def test_gradient_of_the_relaxation_against_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    s = torch.rand(50, generator=generator, dtype=torch.float64) * 0.9 + 0.05
    noise = torch.logit(torch.rand(50, generator=generator, dtype=torch.float64), eps=1e-6)
    upstream = torch.randn(50, generator=generator, dtype=torch.float64)

    def mask(at: Tensor, temperature: float) -> Tensor:
        return relaxation.relax(relaxation.logits(at), noise.clone(), temperature)

    for temperature in (1.0, 0.4, 0.1):
        through = relaxation.through_mask(upstream.clone(), mask(s, temperature))
        gradient = relaxation.through_probability(through, s, temperature)
        step = 1e-6
        difference = mask(s + step, temperature) - mask(s - step, temperature)
        torch.testing.assert_close(
            gradient, upstream * difference / (2 * step), rtol=1e-5, atol=1e-7
        )


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


def test_outputs_do_not_depend_on_weights_that_are_out() -> None:
    model = network().eval()
    x, _ = examples()
    binding = Binding(model)
    masks = graphprune.prune(graphprune.score(model, "random"), 0.7)
    flat = torch.cat([masks[name].flatten() for name in binding.names])
    weights = binding.weights.clone()
    torch.mul(weights, flat, out=binding.weights)
    before = model(x)
    weights[~flat] = 1e6
    torch.mul(weights, flat, out=binding.weights)
    assert torch.equal(model(x), before)


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


def test_exactly_the_requested_number_goes_and_the_model_is_left_alone() -> None:
    model = network()
    x, y = examples()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    generator = torch.get_rng_state()
    for final in ("topk", "draws"):
        result = ProbMask(sparsity=0.77, epochs=2, final=final, final_draws=3).run(model, x, y)
        masks = graphprune.prune(result.scores, 0.77)
        total = sum(mask.numel() for mask in masks.values())
        assert sum(int((~mask).sum()) for mask in masks.values()) == round(0.77 * total)
        assert list(result.weights) == list(before)
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_same_seed_same_scores_other_seed_others() -> None:
    x, y = examples()
    runs = [
        graphprune.score(network(), "probmask", x, y, sparsity=0.8, epochs=3, seed=seed)
        for seed in (1, 1, 2)
    ]
    assert all(torch.equal(runs[0][n], runs[1][n]) for n in runs[0])
    assert not all(torch.equal(runs[0][n], runs[2][n]) for n in runs[0])


def test_batch_norm_statistics_are_those_of_the_masked_network() -> None:
    x, y = examples()
    trained = train(network(), x, y, QUICK)
    final = finish(trained, x, y)
    model = network()
    model.load_state_dict(final.weights)
    graphprune.apply(model, final.masks)
    seen = model[0](x)
    torch.testing.assert_close(model[1].running_mean, seen.mean((0, 2, 3)))
    torch.testing.assert_close(model[1].running_var, seen.var((0, 2, 3)))
    assert all(
        torch.equal(m, graphprune.prune(final.scores, 0.8)[n]) for n, m in final.masks.items()
    )
    assert final.report["epochs_trained"] == QUICK.epochs


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


class Logistic(nn.Module):
    """Logits against a class whose logit is 0, so that the weights of a solution are unique."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, classes - 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.pad(self.linear(x), (1, 0))


@pytest.mark.parametrize("seed", range(5))
def test_recovers_the_support_of_a_sparse_teacher(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    support = torch.zeros(1, 40, dtype=torch.bool)
    support[0, torch.randperm(40, generator=generator)[:8]] = True
    signs = torch.randn(1, 40, generator=generator).sign()
    x = torch.randn(2_000, 40, generator=generator)
    y = (x @ (signs * support).T > 0).long()[:, 0]
    torch.manual_seed(seed)
    options = {"mode": "scratch", "seed": seed, "learning_rate_probabilities": 0.02}
    scores = graphprune.score(Logistic(40, 2), "probmask", x, y, sparsity=0.8, **options)
    assert torch.equal(graphprune.prune(scores, 0.8)["linear.weight"], support)


def test_a_loss_that_is_not_a_number_stops_with_the_step() -> None:
    x, y = examples()
    x[:] = float("nan")
    with pytest.raises(UserError, match=r"loss is nan in epoch 1, step 1; lower learning_rate"):
        train(network(), x, y, QUICK)


def test_refuses_what_cannot_be_trained() -> None:
    x, y = examples()
    model = network()
    total = 36 + 72 + 48
    with pytest.raises(UserError, match="allowed: at least 1 weight"):
        graphprune.score(model, "probmask", x, y, sparsity=1 - 0.5 / total)
    with pytest.raises(UserError, match="expected inputs and targets"):
        graphprune.score(model, "probmask", sparsity=0.5)
    with pytest.raises(UserError, match="targets"):
        graphprune.score(model, "probmask", x, y[:-1], sparsity=0.5)
    with pytest.raises(UserError, match="mode is 'warm'; allowed: checkpoint, scratch, supermask"):
        build("probmask", mode="warm")
    with pytest.raises(UserError, match=r"sparsity is 1\.0"):
        build("probmask", sparsity=1.0)


def test_settings_of_the_paper() -> None:
    method = ProbMask(sparsity=0.9, **PAPER)  # type: ignore[arg-type]
    assert (method.epochs, method.batch_size, method.draws) == (300, 256, 2)
    assert (method.learning_rate_probabilities, method.learning_rate_weights) == (6e-3, 0.1)
    assert Settings(batch_size=64).length(1_259) * 20 >= 600
    assert Settings(batch_size=64).length(60_000) == 10


def test_report_of_how_decided_the_probabilities_are() -> None:
    found = decidedness(torch.tensor([0.0, 1.0, 0.5, 0.25]))
    by_hand = (1.0 + 0.25 * 2 + 0.75 * np.log2(4 / 3)) / 4
    assert found["entropy_mean"] == pytest.approx(by_hand)
    assert found["share_undecided"] == 0.5
    histogram = [found[f"probability_histogram_{i}"] for i in range(10)]
    assert histogram == pytest.approx([0.25, 0, 0.25, 0, 0, 0.25, 0, 0, 0, 0.25])


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
