"""torchvision's networks by name, without pretrained weights."""

from __future__ import annotations

from typing import Any, cast

from torch import nn

from graphprune.torchvision_import import torchvision


def build(_input_shape: tuple[int, ...], num_classes: int, *, name: str) -> nn.Module:
    models = torchvision("models")
    return cast(nn.Module, models.get_model(name, weights=None, num_classes=num_classes))


def build_for_small_images(
    input_shape: tuple[int, ...], num_classes: int, *, name: str
) -> nn.Module:
    """A residual network of torchvision with the stem usual for CIFAR.

    The first convolution is 3×3 with stride 1 in place of 7×7 with stride 2, and no pooling follows
    it: the stages of a 32×32 image have 32, 16, 8 and 4 positions a side.
    """
    network: Any = build(input_shape, num_classes, name=name)
    first = nn.Conv2d(input_shape[0], network.conv1.out_channels, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")  # torchvision's
    network.conv1, network.maxpool = first, nn.Identity()
    return cast(nn.Module, network)
