"""Residual networks for CIFAR: ResNet-20 and ResNet-32, with parameter-free shortcuts."""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import pad

from graphprune.models.initialisation import he_normal


class Block(nn.Module):
    """relu(bn2(conv2(relu1(bn1(conv1(x))))) + shortcut(x)).

    The shortcut is the identity. Where the map is halved, the shortcut takes every second position
    and fills the new channels with zeros ("option A" of the paper).
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
    """conv w@3, three stages of ``(depth − 2) / 6`` blocks of w, 2w, 4w channels, mean, linear.

    w = 16 in the paper: ResNet-20 then has 0.27 M parameters, ResNet-32 0.46 M.
    Paper: He et al., arXiv 1512.03385.
    """

    def __init__(self, channels: int, depth: int, num_classes: int, width: int) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width)
        self.conv = nn.Conv2d(channels, widths[0], 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU()
        blocks: list[nn.Module] = []
        cin = widths[0]
        for stage, cout in enumerate(widths):
            for index in range((depth - 2) // 6):
                blocks.append(Block(cin, cout, 2 if stage and not index else 1))
                cin = cout
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(cin, num_classes)
        he_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.relu(self.bn(self.conv(x))))
        return cast(Tensor, self.fc(self.flatten(self.pool(x))))


def build(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    depth: int = 20,
    width: Annotated[int, Field(ge=1, le=4096, description="Channels of the first stage.")] = 16,
) -> nn.Module:
    return ResNet(input_shape[0], depth, num_classes, width)
