"""Removal curves of a network whose bottlenecks are known."""

import torch
from torch import nn

from graphprune.comparison import removal
from graphprune.data import Split


def test_removal_goes_by_curvature_from_both_ends():
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    images = torch.tensor([[[[1.0, 0.0]]], [[[0.0, 1.0]]]])
    examples = Split(images, torch.tensor([0, 1]))
    # the diagonal are the bottlenecks: negative curvature, large importance
    importance = {"1.weight": torch.tensor([[3.0, -1.0], [-1.0, 2.0]])}
    rows = removal.curves(model, examples, importance, shares=(0.0, 0.5, 0.75))
    reached = {(row["order"], row["removed"]): row["accuracy"] for row in rows}
    assert reached["most positive first", 0.5] == 1.0
    assert reached["most negative first", 0.5] == 0.5
    assert reached["most positive first", 0.75] == 0.5
    assert {order for order, _ in reached} == {
        "most positive first", "most negative first", "magnitude", "random"
    }  # fmt: skip
    assert model[1].weight[1, 1] == 1.0
