"""Removal curves of a network whose bottlenecks are known."""

import copy

import pytest
import torch
from norm_and_dropout import exact_accuracy, examples, network
from torch import nn

import graphprune
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


@pytest.mark.parametrize("seed", [0, 1])
def test_each_order_removes_by_its_scores(seed):
    model, split = network(seed).eval(), examples(23, seed)
    before = copy.deepcopy(model.state_dict())
    generator = torch.Generator().manual_seed(seed)
    weights = {name: p for name, p in model.named_parameters() if p.dim() > 1}
    curvature = {n: torch.randn(p.shape, generator=generator) for n, p in weights.items()}
    rows = removal.curves(model, split, curvature, seed, draws=seed + 5)
    shares = [0.05 * step for step in range(20)]
    assert [row["removed"] for row in rows] == pytest.approx(shares * 4)
    assert {row["seed"] for row in rows} == {seed}
    importance = {
        "most positive first": curvature,
        "most negative first": {name: -score for name, score in curvature.items()},
        "magnitude": {name: weight.abs() for name, weight in weights.items()},
        "random": graphprune.score(model, "random", seed=seed + 5),
    }
    for row in rows:
        assert list(row) == ["order", "removed", "accuracy", "seed"]
        scores = torch.cat([s.detach().flatten() for s in importance[row["order"]].values()])
        kept = torch.ones(len(scores))
        kept[scores.argsort()[: round(row["removed"] * len(scores))]] = 0.0
        pruned, start = copy.deepcopy(model), 0
        for name, weight in weights.items():
            part = kept[start : start + weight.numel()].reshape(weight.shape)
            pruned.get_parameter(name).data *= part
            start += weight.numel()
        assert row["accuracy"] == exact_accuracy(pruned, split)
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())


def test_without_a_seed_the_random_order_is_that_of_seed_0():
    model, split = network().eval(), examples()
    scores = graphprune.score(model, "magnitude")
    shares = (0.3, 0.6, 0.9)
    found = [removal.curves(model, split, scores, *seed, shares=shares) for seed in ((), (0,))]
    assert found[0] == found[1]
