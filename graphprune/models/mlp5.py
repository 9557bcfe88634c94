"""Fully connected networks of five and of fifteen layers, for experiments on path lengths."""

from __future__ import annotations

from math import prod
from typing import cast

from torch import Tensor, nn

WIDTH = 512


class DeepMLP(nn.Module):
    """Linear layers, all but the last 512 wide with batch norm and ReLU.

    Paper of five layers: You et al., Graph structure of neural networks, ICML 2020. Fifteen layers
    are those of RGP's study of gradients, arXiv 2110.15192; width and batch norm are ours.
    """

    def __init__(self, depth: int, features: int, num_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(depth - 1):
            # no bias: batch norm adds a shift itself
            layers += [nn.Linear(features, WIDTH, bias=False), nn.BatchNorm1d(WIDTH), nn.ReLU()]
            features = WIDTH
        self.flatten = nn.Flatten()
        self.hidden = nn.Sequential(*layers)
        self.classifier = nn.Linear(features, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.classifier(self.hidden(self.flatten(x))))


def build(input_shape: tuple[int, ...], num_classes: int, *, depth: int = 5) -> nn.Module:
    return DeepMLP(depth, prod(input_shape), num_classes)
