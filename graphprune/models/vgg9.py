"""VGG-9 as in the official code of neural curvature, for CIFAR: no pooling, no padding."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from graphprune.models.catalog import VGG9 as CONVOLUTIONS
from graphprune.models.catalog import valid_sizes
from graphprune.models.initialisation import Activation, he_normal, nonlinearity

WIDTHS = (64, 128, 128, 128, 256, 256)


class VGG9(nn.Module):
    """64@2×2 stride 2, 128@3, 128@3, 128@3 stride 2, 256@3, 256@3, then 512, 128, classes.

    Each convolution with batch norm and ReLU, or tanh. 3×32×32 → 64×16² → 128×14² → 128×12² →
    128×5² → 256×3² → 256. Paper: arXiv 2601.16366.
    """

    def __init__(
        self, channels: int, features: int, num_classes: int, activation: Activation
    ) -> None:
        super().__init__()
        self.activation = activation
        blocks: list[nn.Module] = []
        for width, (kernel, stride) in zip(WIDTHS, CONVOLUTIONS, strict=True):
            blocks.append(nn.Conv2d(channels, width, kernel, stride=stride))
            blocks.append(nn.BatchNorm2d(width))
            blocks.append(nonlinearity(activation))
            channels = width
        self.features = nn.Sequential(*blocks)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(features, 512)
        self.fc2 = nn.Linear(512, 128)
        self.fc3 = nn.Linear(128, num_classes)
        for number in (1, 2):
            setattr(self, f"{activation}{number}", nonlinearity(activation))
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.flatten(self.features(x))
        x = self._activated(1, self.fc1(x))
        x = self._activated(2, self.fc2(x))
        return cast(Tensor, self.fc3(x))

    def _activated(self, number: int, x: Tensor) -> Tensor:
        return cast(Tensor, getattr(self, f"{self.activation}{number}")(x))


def build(
    input_shape: tuple[int, ...], num_classes: int, *, activation: Activation = "relu"
) -> nn.Module:
    channels, height, width = input_shape
    rows, columns = valid_sizes(height, CONVOLUTIONS)[-1], valid_sizes(width, CONVOLUTIONS)[-1]
    return VGG9(channels, WIDTHS[-1] * rows * columns, num_classes, activation)
