"""Magnitude: the scores are the absolute values."""

import torch
from torch import nn

import graphprune


def test_scores_are_absolute_values():
    model = nn.Sequential(nn.Linear(2, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[-3.0, 0.5]]))
    assert graphprune.score(model, "magnitude")["0.weight"].tolist() == [[3.0, 0.5]]
