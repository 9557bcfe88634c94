"""Residual networks for CIFAR: ResNet-20 and ResNet-32, with parameter-free shortcuts."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn.functional import pad

from graphprune.models.initialisation import he_normal

WIDTHS = (16, 32, 64)


class Block(nn.Module):
    """relu(bn2(conv2(relu1(bn1(conv1(x))))) + shortcut(x)).

    The shortcut is the identity; where the map halves, every second position of it, the new
    channels filled with zeros ("option A" of the paper).
    """

    def __init__(self, cin: int, cout: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        # pooling over a single position is subsampling
        self.shortcut = nn.MaxPool2d(1, stride) if stride > 1 else nn.Identity()
        self.added = cout - cin
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        short = self.shortcut(x)
        if self.added:
            before = self.added // 2
            short = pad(short, (0, 0, 0, 0, before, self.added - before))
        return cast(Tensor, self.relu2(out + short))


class ResNet(nn.Module):
    """conv 16@3, three stages of ``(depth − 2) / 6`` blocks of 16, 32, 64 channels, mean, linear.

    ResNet-20 has 0.27 M parameters, ResNet-32 0.46 M. Paper: He et al., arXiv 1512.03385.
    """

    def __init__(self, channels: int, depth: int, num_classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, WIDTHS[0], 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(WIDTHS[0])
        self.relu = nn.ReLU()
        blocks: list[nn.Module] = []
        cin = WIDTHS[0]
        for stage, width in enumerate(WIDTHS):
            for index in range((depth - 2) // 6):
                blocks.append(Block(cin, width, 2 if stage and not index else 1))
                cin = width
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(cin, num_classes)
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.relu(self.bn(self.conv(x))))
        return cast(Tensor, self.fc(self.flatten(self.pool(x))))


def build(input_shape: tuple[int, ...], num_classes: int, depth: int) -> nn.Module:
    return ResNet(input_shape[0], depth, num_classes)
