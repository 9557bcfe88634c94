"""Conv-2, 4, 6 and 8: the small VGG-like networks of the lottery ticket hypothesis."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

WIDTHS = (64, 128, 256, 512)
HIDDEN = 256


class Conv(nn.Module):
    """Stages of two padded 3×3 convolutions and a pooling that halves the map, then 256, 256.

    The stages are 64, 128, 256 and 512 wide; Conv-2 has the first of them, Conv-8 all. With ReLU,
    without batch norm.

    Paper: Frankle and Carbin, arXiv 1803.03635; Conv-8: Ramanujan et al., arXiv 1911.13299.
    """

    def __init__(self, stages: int, channels: int, positions: int, num_classes: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for width in WIDTHS[:stages]:
            for _ in range(2):
                blocks += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            blocks.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*blocks)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(channels * positions, HIDDEN)
        self.relu1 = nn.ReLU()
        self.fc2 = nn.Linear(HIDDEN, HIDDEN)
        self.relu2 = nn.ReLU()
        self.fc3 = nn.Linear(HIDDEN, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):  # as in the paper
                nn.init.xavier_normal_(module.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = self.flatten(self.features(x))
        x = self.relu1(self.fc1(x))
        x = self.relu2(self.fc2(x))
        return cast(Tensor, self.fc3(x))


def build(input_shape: tuple[int, ...], num_classes: int, *, depth: int) -> nn.Module:
    channels, height, width = input_shape
    stages = depth // 2
    return Conv(stages, channels, (height >> stages) * (width >> stages), num_classes)
