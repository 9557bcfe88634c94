"""ProbMask as a method: its scores, the support it recovers, what it refuses."""

import pytest
import torch
from probmask_examples import examples, network
from torch import Tensor, nn
from torch.nn import functional

import graphprune
from graphprune.errors import UserError
from graphprune.methods import build
from graphprune.methods.probmask import PAPER, ProbMask
from graphprune.probmask.settings import Settings


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
