"""Small networks with random weights, of every structure that the solvers treat differently."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from graphprune.neural_graph import NeuralGraph, trace, values
from graphprune.neural_graph.structure import Floats


class Branches(nn.Module):
    """Concatenation, strided 1×1 shortcut, residual addition, average pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 3, 3, padding=1)
        self.side = nn.Conv2d(3, 2, 3, padding=1)
        self.down = nn.Conv2d(5, 4, 3, stride=2, padding=1)
        self.short = nn.Conv2d(5, 4, 1, stride=2)
        self.last = nn.Conv2d(4, 4, 3, padding=1)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        x = torch.cat([x, torch.relu(self.side(x))], 1)
        x = torch.relu(self.down(x) + self.short(x))
        x = torch.relu(self.last(x) + x)
        return self.fc(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


def pooled() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(3, 4, 2, stride=2, padding=1), nn.ReLU(), nn.AvgPool2d(2, 1), nn.Flatten()),
        *(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)),
    )


def grouped() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding=1, groups=2), nn.ReLU()),
        *(nn.Conv2d(4, 6, 3, groups=2, dilation=2), nn.BatchNorm2d(6), nn.ReLU()),
        *(nn.Conv2d(6, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(2, 3)),
    )


def dense() -> nn.Module:
    return nn.Sequential(
        *(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 7), nn.ReLU()),
        *(nn.Linear(7, 6), nn.Tanh(), nn.Linear(6, 4)),
    )


def narrow() -> nn.Module:
    """Layers of a single neuron."""
    return nn.Sequential(
        *(nn.Linear(3, 1), nn.Tanh(), nn.Linear(1, 1), nn.Tanh()),
        *(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 2)),
    )


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "branches": (Branches, (2, 4, 4)),
    "pooled": (pooled, (1, 5, 5)),
    "grouped": (grouped, (2, 5, 5)),
    "dense": (dense, (6,)),
    "narrow": (narrow, (3,)),
}
KINDS = ("normal", "sparse", "equal")


def network(
    name: str, seed: int, kind: str = "normal", count: int = 1
) -> tuple[NeuralGraph, list[Floats]]:
    """A graph with random weights (or a third of them 0, or all equal) and ``count`` examples."""
    build, shape = MODELS[name]
    torch.manual_seed(seed)
    model = build().double().eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                module.weight.normal_()
                module.bias.normal_(std=0.5)
                if kind == "sparse":
                    module.weight.mul_(torch.rand_like(module.weight) > 0.3)
                if kind == "equal":
                    module.weight.fill_(0.5)
    traced = trace(model, shape)
    inputs = torch.rand(count, *shape, dtype=torch.float64)
    return traced.graph, values(traced, inputs * (torch.rand_like(inputs) > 0.2))
