"""VGG-16 with batch norm in its form for CIFAR: one linear layer after the convolutions."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from graphprune.models.initialisation import he_normal

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class VGG16BN(nn.Module):
    """Five stages of padded 3×3 convolutions, each with batch norm and ReLU, then max pooling.

    3×32×32 → 512 → classes: 14.7 M weights. Paper: Simonyan and Zisserman, arXiv 1409.1556. A
    single linear layer has been usual for CIFAR since Liu et al., arXiv 1708.06519.
    """

    def __init__(self, channels: int, positions: int, num_classes: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for stage in STAGES:
            for width in stage:
                blocks.append(nn.Conv2d(channels, width, 3, padding=1, bias=False))
                blocks.append(nn.BatchNorm2d(width))
                blocks.append(nn.ReLU())
                channels = width
            blocks.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*blocks)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(channels * positions, num_classes)
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.classifier(self.flatten(self.features(x))))


def build(input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    channels, height, width = input_shape
    return VGG16BN(channels, (height // 32) * (width // 32), num_classes)
