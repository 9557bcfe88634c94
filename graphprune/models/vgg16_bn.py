"""VGG-16 and VGG-19 with batch norm in their form for CIFAR: one linear layer at the end."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from graphprune.models.initialisation import he_normal

WIDTHS = (64, 128, 256, 512, 512)
# convolutions of each stage; with the three linear layers of the paper's networks 16 and 19
COUNTS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


class VGGBN(nn.Module):
    """Five stages of padded 3×3 convolutions, each with batch norm and ReLU, then max pooling.

    3×32×32 → 512 → classes: 14.7 M weights of VGG-16, 20.0 M of VGG-19. Paper: Simonyan and
    Zisserman, arXiv 1409.1556. A single linear layer has been usual for CIFAR since Liu et al.,
    arXiv 1708.06519.
    """

    def __init__(self, depth: int, channels: int, positions: int, num_classes: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for width, count in zip(WIDTHS, COUNTS[depth], strict=True):
            for _ in range(count):
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


def build(input_shape: tuple[int, ...], num_classes: int, *, depth: int = 16) -> nn.Module:
    channels, height, width = input_shape
    return VGGBN(depth, channels, (height // 32) * (width // 32), num_classes)
