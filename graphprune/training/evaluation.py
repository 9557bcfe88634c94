"""What a network achieves and what it costs: accuracy, parameters, FLOPs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from graphprune.layers.finding import parts
from graphprune.layers.uses import counting
from graphprune.masks import prunable

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graphprune.data import Split
    from graphprune.data.streamed.images import StreamedImages


@torch.no_grad()
def predictions(
    model: nn.Module, images: Tensor | StreamedImages, batch_size: int = 1000
) -> Tensor:
    """Predicted classes, int64 ``(n,)`` on the CPU, of images ``(n, *input shape)``."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    classes = [model(batch.to(device)).argmax(1).cpu() for batch in images.split(batch_size)]
    model.train(was_training)
    return torch.cat(classes)


def accuracy(model: nn.Module, split: Split) -> float:
    """Share in [0, 1] of the examples that ``model`` classifies correctly, in evaluation mode."""
    hits = (predictions(model, split.images) == split.labels).sum()
    return int(hits) / len(split.labels)


@dataclass(frozen=True)
class LayerCost:
    """Size and work of one layer for one example.

    name: its weight's; for query, key and value of an attention's joint weight with ``.query``,
    ``.key`` or ``.value`` behind it.
    FLOPs count a multiplication and an addition each, so 2 for every use of a kept weight; padded
    positions count as used, as is the custom.
    """

    name: str
    params_total: int
    params_kept: int
    uses: int

    @property
    def flops_total(self) -> int:
        return 2 * self.uses * self.params_total

    @property
    def flops_kept(self) -> int:
        return 2 * self.uses * self.params_kept

    @property
    def density(self) -> float:
        """Kept share of the weights, 1 − sparsity."""
        return self.params_kept / self.params_total


def costs(
    model: nn.Module, input_shape: tuple[int, ...], masks: Mapping[str, Tensor] | None = None
) -> list[LayerCost]:
    """Cost of every layer of ``model`` under ``masks`` (a missing mask keeps all).

    input_shape: shape of one example, without the batch dimension.
    """
    masks = masks or {}
    uses = _uses(model, input_shape)
    found = []
    for weight_name, weight in prunable(model).items():
        layers = parts(weight_name, len(weight))
        size = weight.numel() // len(layers)
        kept = [size] * len(layers)
        if weight_name in masks:
            kept = [int(mask.sum()) for mask in masks[weight_name].tensor_split(len(layers))]
        found += [
            LayerCost(name, size, count, uses[name])
            for name, count in zip(layers, kept, strict=True)
        ]
    return found


@torch.no_grad()
def _uses(model: nn.Module, input_shape: tuple[int, ...]) -> dict[str, int]:
    """How often one example uses each weight."""
    was_training = model.training
    model.eval()
    reference = next(model.parameters())
    with counting(model) as counts:
        model(torch.zeros(1, *input_shape, dtype=reference.dtype, device=reference.device))
    model.train(was_training)
    return counts
