"""What a network draws while it is trained depends on the seed alone."""

import copy

import pytest
import torch
from torch import nn
from two_blobs import examples

from graphprune.training import loop

MODEL = nn.Sequential(nn.Flatten(), nn.Linear(2, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2))


def trained(seed: int, before: int) -> torch.Tensor:
    """The last weights, after ``before`` numbers were drawn from the global generator."""
    model = copy.deepcopy(MODEL)
    torch.rand(before)
    state = torch.get_rng_state()
    loop.train(model, examples(), loop.Settings(1, 80, seed=seed))
    assert torch.equal(torch.get_rng_state(), state)
    return model[4].weight


@pytest.mark.parametrize("before", [0, 7])
def test_dropout_does_not_depend_on_earlier_draws(before):
    assert torch.equal(trained(0, 0), trained(0, before))


def test_dropout_differs_between_seeds(monkeypatch):
    # all examples are one batch, and in one order: only dropout can differ
    monkeypatch.setattr(loop, "_batches", lambda found, *_: [(found.images, found.labels)])
    assert not torch.equal(trained(0, 0), trained(1, 0))
