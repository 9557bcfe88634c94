"""Accuracy, and the costs of a network counted by hand."""

import pytest
import torch
from torch import nn

import graphprune
from graphprune.training import evaluation


def test_costs_of_lenet_by_hand():
    model = nn.Sequential(
        nn.Conv2d(1, 6, 6, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 12 * 12, 10)
    )
    mask = torch.zeros(6, 1, 6, 6, dtype=torch.bool)
    mask[0] = True
    conv, linear = evaluation.costs(model, (1, 28, 28), {"0.weight": mask})
    assert (conv.params_total, conv.params_kept, conv.uses) == (216, 36, 144)
    assert (conv.flops_total, conv.flops_kept) == (2 * 216 * 144, 2 * 36 * 144)
    assert (linear.params_total, linear.uses, linear.density) == (8640, 1, 1.0)
    assert conv.density == pytest.approx(1 / 6)


def test_accuracy_counts_hits(blobs):
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].bias.copy_(torch.tensor([1.0, 0.0]))
    assert evaluation.accuracy(model, blobs) == 0.5
    assert graphprune.__version__
