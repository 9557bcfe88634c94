"""Residual networks for CIFAR: ResNet-20, 32 and 56, a thin one, and a wide ResNet-32."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import pad

from graphprune.models.initialisation import he_normal

Shortcut = Literal["pad", "convolution"]


class Block(nn.Module):
    """relu(bn2(conv2(relu1(bn1(conv1(x))))) + shortcut(x)).

    The shortcut is the identity. Where the map is halved, the shortcut "pad" takes every second
    position and fills the new channels with zeros ("option A" of the paper); "convolution" is a
    1×1 convolution with batch norm ("option B").
    """

    def __init__(self, cin: int, cout: int, stride: int, shortcut: Shortcut) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        changes = stride > 1 or cin != cout
        self.added = 0
        self.shortcut: nn.Module = nn.Identity()
        if changes and shortcut == "convolution":
            projection = nn.Conv2d(cin, cout, 1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(cout))
        elif changes:
            # pooling over a single position is subsampling
            self.shortcut = nn.MaxPool2d(1, stride)
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

    w = 16 in the paper: ResNet-20 then has 0.27 M parameters, ResNet-32 0.46 M, ResNet-56 0.85 M.
    Paper: He et al., arXiv 1512.03385. Its ResNet-32 with w = 32 and convolutions as shortcuts is
    that of ProbMask, arXiv 2105.01571.
    """

    def __init__(
        self, channels: int, depth: int, num_classes: int, width: int, shortcut: Shortcut
    ) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width)
        self.conv = nn.Conv2d(channels, widths[0], 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU()
        blocks: list[nn.Module] = []
        cin = widths[0]
        for stage, cout in enumerate(widths):
            for index in range((depth - 2) // 6):
                blocks.append(Block(cin, cout, 2 if stage and not index else 1, shortcut))
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
    shortcut: Annotated[
        Shortcut,
        Field(
            description="Where the map is halved: `pad` adds channels of zeros, `convolution` is "
            "1x1 with batch norm."
        ),
    ] = "pad",
) -> nn.Module:
    return ResNet(input_shape[0], depth, num_classes, width, shortcut)
