"""Layers of every kind, masks of every kind, and the masked network to compare with."""

from __future__ import annotations

import copy

import torch
from torch import nn

import graphprune

LAYERS = {
    "linear": (lambda: nn.Linear(20, 12), (3, 20)),
    "linear_batch": (lambda: nn.Linear(20, 12, bias=False), (17, 20)),
    "linear_tokens": (lambda: nn.Linear(20, 12), (2, 5, 20)),
    "conv": (lambda: nn.Conv2d(8, 12, 3, padding=1), (2, 8, 9, 7)),
    "conv_stride": (
        lambda: nn.Conv2d(8, 12, 3, stride=2, padding=1, dilation=2, bias=False),
        (2, 8, 9, 10),
    ),
    "conv_uneven": (lambda: nn.Conv2d(8, 12, (3, 2), stride=(1, 2), groups=2), (3, 8, 9, 10)),
    "conv_reflect": (lambda: nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect"), (1, 8, 6, 6)),
    "conv_same": (lambda: nn.Conv2d(8, 12, (5, 3), padding="same"), (2, 8, 6, 6)),
    "depthwise": (lambda: nn.Conv2d(8, 8, 3, groups=8), (2, 8, 6, 6)),
    "pointwise": (lambda: nn.Conv2d(8, 12, 1, stride=3), (2, 8, 9, 7)),
    "conv1d": (lambda: nn.Conv1d(8, 12, 3), (2, 8, 9)),
    "conv3d": (lambda: nn.Conv3d(4, 6, 2), (2, 4, 5, 5, 5)),
}
ONLY_BLOCK = ("conv1d", "conv3d")


def channelwise(shape, density):
    kept = torch.rand(shape[:2]) < density
    return kept.reshape(*shape[:2], *[1] * (len(shape) - 2)).expand(shape).clone()


def mask_of(kind, shape):
    mask = torch.ones(shape, dtype=torch.bool)
    if kind == "channels":
        mask = channelwise(shape, 0.4)
    elif kind == "weights":
        mask = torch.rand(shape) < 0.3
    elif kind == "rows_gone":
        mask[::2] = False
    elif kind == "columns_gone":
        mask[:, ::2] = shape[1] == 1
    elif kind == "both_gone":
        mask = channelwise(shape, 0.5)
        mask[1:4] = False
    elif kind == "nothing_left":
        mask[:] = False
    return mask


def masked(model, masks):
    result = copy.deepcopy(model).eval()
    graphprune.apply(result, masks)
    return result
