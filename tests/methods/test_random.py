"""Random: the seed alone decides."""

import torch
from torch import nn

import graphprune


def test_a_seed_means_one_result():
    model = nn.Sequential(nn.Linear(2, 1))
    first = graphprune.score(model, "random", seed=1)["0.weight"]
    assert torch.equal(first, graphprune.score(model, "random", seed=1)["0.weight"])
    assert not torch.equal(first, graphprune.score(model, "random", seed=2)["0.weight"])
