"""Accuracy, and the costs of a network counted by hand."""

import copy

import pytest
import torch
from norm_and_dropout import exact_accuracy, examples, network
from torch import nn

import graphprune
from graphprune.data import Split
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


class Everything(nn.Module):
    """A layer used twice, a linear layer on sequences, grouped and 1-d convolutions."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2)
        self.norm = nn.BatchNorm2d(6)
        self.line = nn.Conv1d(6, 5, 3)
        self.each = nn.Linear(4, 4)
        self.out = nn.Linear(20, 2)

    def forward(self, x):
        x = self.norm(self.conv(x)).flatten(2)
        x = self.line(x)
        return self.out(self.each(self.each(x)).flatten(1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("training", [True, False])
def test_costs_count_every_use_by_hand(dtype, training):
    model = Everything().to(dtype).train(training)
    before = copy.deepcopy(model.state_dict())
    # 3 x 5 pixels: the convolution's map is 2 x 3, the line's 4 long; `each` sees 5 rows twice
    found = evaluation.costs(model, (4, 3, 5))
    assert [(c.name, c.params_total, c.params_kept, c.uses) for c in found] == [
        ("conv.weight", 6 * 2 * 6, 72, 6),
        ("line.weight", 5 * 6 * 3, 90, 4),
        ("each.weight", 16, 16, 10),
        ("out.weight", 40, 40, 1),
    ]
    assert all(type(c.uses) is int for c in found)
    assert sum(c.flops_total for c in found) == 2 * (72 * 6 + 90 * 4 + 16 * 10 + 40)
    assert {module.training for module in model.modules()} == {training}
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("training", [True, False])
def test_predictions_are_those_of_evaluation_one_by_one(seed, training):
    model, split = network(seed), examples(23, seed)
    model(split.images)  # the norms' statistics are no longer those of the start
    model.train(training)
    before = copy.deepcopy(model.state_dict())
    expected = exact_accuracy(model, split)
    for batch_size in (1, 8, 1000):
        found = evaluation.predictions(model, split.images, batch_size)
        assert found.dtype == torch.int64
        assert int((found == split.labels).sum()) == round(expected * 23)
    assert evaluation.accuracy(model, split) == expected
    assert {module.training for module in model.modules()} == {training}
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
    assert 0.2 < expected < 0.9


def test_at_most_1000_images_go_through_at_once():
    seen = []
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
    model.register_forward_hook(lambda *call: seen.append(call[-1]))
    evaluation.predictions(model, torch.zeros(2003, 1, 1, 1))
    assert [len(output) for output in seen] == [1000, 1000, 3]
    assert not any(output.requires_grad for output in seen)


def test_accuracy_counts_hits(blobs):
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].bias.copy_(torch.tensor([1.0, 0.0]))
    assert evaluation.accuracy(model, blobs) == 0.5
    most = Split(blobs.images[:5], torch.tensor([0, 0, 0, 1, 0]))
    assert evaluation.accuracy(model, most) == 0.8


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
