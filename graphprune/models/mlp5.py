"""A fully connected network of five layers, for the experiment on path lengths."""

from __future__ import annotations

from math import prod
from typing import cast

from torch import Tensor, nn

WIDTH, HIDDEN = 512, 4


class MLP5(nn.Module):
    """Five linear layers, four of them 512 wide with batch norm and ReLU.

    Paper: You et al., Graph structure of neural networks, ICML 2020 (its multilayer perceptron).
    """

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(HIDDEN):
            # no bias: batch norm adds a shift itself
            layers += [nn.Linear(features, WIDTH, bias=False), nn.BatchNorm1d(WIDTH), nn.ReLU()]
            features = WIDTH
        self.flatten = nn.Flatten()
        self.hidden = nn.Sequential(*layers)
        self.classifier = nn.Linear(features, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.classifier(self.hidden(self.flatten(x))))


def build(input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    return MLP5(prod(input_shape), num_classes)
