"""SNIP against the definition: how the loss changes with an indicator on each connection."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

import graphprune
from graphprune.errors import UserError
from graphprune.methods.snip import CHUNK, SNIP


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.Tanh(), nn.Flatten(), nn.Linear(8, 3)
    ).double()


def examples(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(count, 1, 3, 3, generator=generator, dtype=torch.float64)
    return images, torch.arange(count) % 3


def test_score_is_the_derivative_by_an_indicator_on_the_connection() -> None:
    model, (images, labels) = network().eval(), examples(7)
    scores = SNIP(batch_size=7).run(model, images, labels).scores
    step = 1e-6
    for name, score in scores.items():
        for place in range(score.numel()):
            losses = []
            for factor in (1 - step, 1 + step):
                cut = copy.deepcopy(model)
                with torch.no_grad():
                    cut.get_parameter(name).view(-1)[place] *= factor
                    losses.append(float(functional.cross_entropy(cut(images), labels)))
            derivative = (losses[1] - losses[0]) / (2 * step)
            assert abs(derivative) == pytest.approx(float(score.view(-1)[place]), abs=1e-7)


def test_the_seed_chooses_the_examples_and_more_than_there_are_means_all() -> None:
    model, (images, labels) = network(), examples(30)

    def score(**options: int) -> torch.Tensor:
        return graphprune.score(model, "snip", images, labels, **options)["4.weight"]

    assert torch.equal(score(batch_size=5, seed=3), score(batch_size=5, seed=3))
    assert not torch.equal(score(batch_size=5, seed=3), score(batch_size=5, seed=4))
    torch.testing.assert_close(score(batch_size=30, seed=3), score(batch_size=99, seed=4))


def test_examples_in_several_passes_are_those_in_one() -> None:
    model, (images, labels) = network().eval(), examples(2 * CHUNK + 3)
    weight = model.get_parameter("4.weight")
    loss = functional.cross_entropy(model(images), labels)
    expected = (weight * torch.autograd.grad(loss, weight)[0]).abs()
    score = SNIP(batch_size=len(images)).run(model, images, labels).scores["4.weight"]
    torch.testing.assert_close(score, expected.detach())


def test_without_labels_it_is_refused() -> None:
    with pytest.raises(UserError, match="snip needs examples with their labels"):
        SNIP().run(network(), examples(3)[0])


def test_a_frozen_weight_is_named_and_an_unused_layer_does_not_matter() -> None:
    class Spare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.spare = network(), nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.used(x)

    model, (images, labels) = Spare(), examples(6)
    assert not SNIP().run(model, images, labels).scores["spare.weight"].any()
    model.used.get_parameter("4.weight").requires_grad_(False)
    with pytest.raises(UserError, match=r"used\.4\.weight is frozen"):
        SNIP().run(model, images, labels)
