"""Additions, concatenations, nonlinearities and batch norm in the neural graph."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from graph_checks import check, without_bias
from torch import Tensor, nn
from torch.nn import functional

from graphprune.neural_graph import trace


class Residual(nn.Module):
    """Pre-activation block, projected and plain shortcut, channels padded with zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(2)
        self.conv1 = nn.Conv2d(2, 2, 3, padding=1)
        self.project = nn.Conv2d(2, 4, 1, stride=2)
        self.conv2 = nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.bn2 = nn.BatchNorm2d(4)
        self.fc = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.conv1(torch.relu(self.bn1(x)))
        x = torch.add(self.project(x), self.bn2(self.conv2(x))).relu()
        x = functional.pad(x, (0, 0, 0, 0, 1, 1))
        return self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))


def test_residual_additions() -> None:
    graph = check(Residual(), (1, 4, 4), {"relu": torch.relu, "relu:2": torch.relu})
    assert [(layer.name, layer.shape) for layer in graph.layers] == [
        ("input", (1, 4, 4)),
        ("stem", (2, 4, 4)),  # used twice, so a layer of its own
        ("relu", (2, 4, 4)),
        ("add", (2, 4, 4)),  # used twice
        ("relu:2", (4, 2, 2)),  # both branches feed it directly
        ("pad", (6, 2, 2)),
        ("adaptive_avg_pool2d", (6, 1, 1)),
        ("fc", (3,)),
    ]
    links = [(c.source, c.target, c.parameter) for c in graph.connections]
    assert links == [
        (0, 1, "stem.weight"),
        (1, 2, None),  # batch norm between two layers: its scale as weight
        (1, 3, None),
        (2, 3, "conv1.weight"),
        (3, 4, "project.weight"),
        (3, 4, "conv2.weight"),
        (4, 5, None),
        (5, 6, None),
        (6, 7, "fc.weight"),
    ]
    assert (graph.connections[2].weight == 1).all()


def test_concatenations() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left = nn.Conv2d(1, 2, 1)
            self.right = nn.Conv2d(1, 3, 1)
            self.norm = nn.BatchNorm2d(5)
            self.more = nn.Conv2d(5, 2, 1)
            self.fc = nn.Linear(7 * 4 + 7, 2)

        def forward(self, x: Tensor) -> Tensor:
            y = torch.relu(self.norm(torch.cat([self.left(x), self.right(x)], 1)))
            y = torch.cat((torch.tanh(self.more(y)), y), dim=1)
            pool = functional.avg_pool2d(y, 2).flatten(1)
            return self.fc(torch.cat([y.flatten(1), pool], 1))

    graph = check(Model(), (1, 2, 2), {"relu": torch.relu, "tanh": torch.tanh})
    layers = [(layer.name, layer.shape) for layer in graph.layers]
    assert layers == [
        ("input", (1, 2, 2)),
        ("relu", (5, 2, 2)),
        ("tanh", (2, 2, 2)),
        ("cat", (7, 2, 2)),
        ("cat:2", (35,)),
        ("fc", (2,)),
    ]
    first, second = graph.connections[:2]
    assert (first.parameter, first.target_channel) == ("left.weight", 0)
    assert (second.parameter, second.target_channel) == ("right.weight", 2)


@pytest.mark.parametrize(
    "module",
    [
        nn.ReLU(),
        nn.LeakyReLU(0.2),
        nn.GELU(),
        nn.Tanh(),
        nn.Sigmoid(),
        nn.ReLU6(),
        nn.SiLU(),
        nn.ELU(),
        nn.Hardswish(),
    ],
    ids=lambda module: type(module).__name__,
)
def test_nonlinearities(module: nn.Module) -> None:
    model = nn.Sequential(nn.Linear(3, 4), copy.deepcopy(module), nn.Dropout(), nn.Linear(4, 2))
    check(model, (3,), {"1": module})


class TestBatchNorm:
    MODEL = nn.Sequential(
        nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)
    )

    def test_folded(self) -> None:
        check(copy.deepcopy(self.MODEL), (1, 3, 3), {"2": torch.relu})

    def test_left_alone_by_default(self) -> None:
        model = without_bias(copy.deepcopy(self.MODEL))
        weight = trace(model, (1, 3, 3)).graph.connections[0].weight
        assert np.array_equal(weight.reshape(2, 1, 2, 2), model[0].weight.detach().numpy())

    def test_after_linear_layers_and_on_flat_maps(self) -> None:
        model = nn.Sequential(
            nn.Conv2d(1, 2, 1),
            nn.Flatten(),
            nn.BatchNorm1d(8),
            nn.Linear(8, 3),
            nn.BatchNorm1d(3),
            nn.ReLU(),
            nn.Linear(3, 2),
        )
        graph = check(model, (1, 2, 2), {"5": torch.relu})
        assert [layer.name for layer in graph.layers] == ["input", "0", "2", "5", "6"]

    def test_after_the_nonlinearity_makes_a_layer(self) -> None:
        model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.BatchNorm1d(3), nn.Linear(3, 2))
        graph = check(model, (2,), {"1": torch.relu})
        assert [layer.name for layer in graph.layers] == ["input", "1", "2", "3"]
