"""Fully connected networks: 64–128–64–10 for digits, LeNet-300-100 for 28×28 images."""

from __future__ import annotations

from math import prod
from typing import cast

from torch import Tensor, nn

SMALL = 64  # features; up to here the hidden layers are the smaller ones


class MLP(nn.Module):
    """Two hidden layers with ReLU: 128 and 64 up to 64 inputs, else 300 and 100.

    Paper of the larger: LeCun et al., Gradient-based learning applied to document recognition,
    1998.
    """

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__()
        first, second = (128, 64) if features <= SMALL else (300, 100)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(features, first)
        self.relu1 = nn.ReLU()
        self.fc2 = nn.Linear(first, second)
        self.relu2 = nn.ReLU()
        self.fc3 = nn.Linear(second, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu1(self.fc1(self.flatten(x)))
        x = self.relu2(self.fc2(x))
        return cast(Tensor, self.fc3(x))


def build(input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    return MLP(prod(input_shape), num_classes)
