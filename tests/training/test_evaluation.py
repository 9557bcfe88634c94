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


class Attends(nn.Module):
    """Five tokens of width 4 attend to one another; one linear layer looks at their sum."""

    def __init__(self):
        super().__init__()
        self.attention, self.head = nn.MultiheadAttention(4, 2, batch_first=True), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.attention(x, x, x, need_weights=False)[0].sum(1))


def test_costs_of_attention_by_hand():
    # in evaluation mode and without gradients torch takes its fast path, which calls no layer
    model = Attends()
    mask = torch.ones(12, 4, dtype=torch.bool)
    mask[:4] = False
    mask[4, :3] = False
    masks = {"attention.in_proj_weight": mask, "attention.out_proj.weight": torch.eye(4).bool()}
    found = evaluation.costs(model, (5, 4), masks)
    assert [(c.name, c.params_total, c.params_kept, c.uses) for c in found] == [
        ("attention.in_proj_weight.query", 16, 0, 5),
        ("attention.in_proj_weight.key", 16, 13, 5),
        ("attention.in_proj_weight.value", 16, 16, 5),
        ("attention.out_proj.weight", 16, 4, 5),
        ("head.weight", 12, 12, 1),
    ]
    assert sum(c.params_total for c in found) == sum(
        weight.numel() for weight in graphprune.prunable(model).values()
    )
    assert model.training
