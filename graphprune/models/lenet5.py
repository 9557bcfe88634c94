"""LeNet-5 as in the official code of neural curvature: no pooling, no padding."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from graphprune.models.catalog import LENET5, valid_sizes
from graphprune.models.initialisation import Activation, nonlinearity


class LeNet5(nn.Module):
    """conv 6@6×6 stride 2, conv 16@6×6 stride 2, 120, 84, classes, with ReLU or tanh.

    1×28×28 → 6×12×12 → 16×4×4 → 120 → 84 → 10: 128 040 edges. Paper: arXiv 2601.16366.
    """

    def __init__(
        self, channels: int, features: int, num_classes: int, activation: Activation
    ) -> None:
        super().__init__()
        self.activation = activation
        for number in range(1, 5):
            setattr(self, f"{activation}{number}", nonlinearity(activation))
        self.conv1 = nn.Conv2d(channels, 6, 6, stride=2)
        self.conv2 = nn.Conv2d(6, 16, 6, stride=2)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(features, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self._activated(1, self.conv1(x))
        x = self._activated(2, self.conv2(x))
        x = self.flatten(x)
        x = self._activated(3, self.fc1(x))
        x = self._activated(4, self.fc2(x))
        return cast(Tensor, self.fc3(x))

    def _activated(self, number: int, x: Tensor) -> Tensor:
        return cast(Tensor, getattr(self, f"{self.activation}{number}")(x))


def build(
    input_shape: tuple[int, ...], num_classes: int, *, activation: Activation = "relu"
) -> nn.Module:
    channels, height, width = input_shape
    features = 16 * valid_sizes(height, LENET5)[-1] * valid_sizes(width, LENET5)[-1]
    return LeNet5(channels, features, num_classes, activation)
