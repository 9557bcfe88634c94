"""torchvision's networks by name, without pretrained weights."""

from __future__ import annotations

from typing import cast

from torch import nn

from graphprune.torchvision_import import torchvision


def build(_input_shape: tuple[int, ...], num_classes: int, *, name: str) -> nn.Module:
    models = torchvision("models")
    return cast(nn.Module, models.get_model(name, weights=None, num_classes=num_classes))
