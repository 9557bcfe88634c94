"""Masks: which weights stay. From scores to masks, from masks to a pruned network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from graphprune.errors import UserError, one_of

if TYPE_CHECKING:
    from torch import Tensor

Masks = dict[str, "Tensor"]
SCOPES = ("global", "layer")
PRUNABLE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def prunable(model: nn.Module) -> dict[str, nn.Parameter]:
    """The weights that pruning may remove, by their name in ``model.state_dict()``.

    The weights of linear and convolution layers; biases and norms always stay. A weight that two
    layers share appears once, under its first name.
    """
    weights: dict[str, nn.Parameter] = {}
    seen: set[int] = set()
    for path, module in model.named_modules():
        if isinstance(module, PRUNABLE) and id(module.weight) not in seen:
            weight = cast("nn.Parameter", module.weight)
            seen.add(id(weight))
            weights[f"{path}.weight" if path else "weight"] = weight
    if not weights:
        raise UserError("model has no linear or convolution layer; nothing can be pruned")
    return weights


def removed_count(total: int, sparsity: float) -> int:
    """How many of ``total`` weights go at ``sparsity``: the nearest whole number to the product."""
    if not 0.0 <= sparsity <= 1.0:
        raise UserError(f"sparsity is {sparsity}; allowed: 0 <= sparsity <= 1")
    return round(sparsity * total)


def prune(scores: Mapping[str, Tensor], sparsity: float, scope: str = "global") -> Masks:
    """Masks that remove exactly ``round(sparsity * N)`` of N weights, the least important first.

    Parameters
    ----------
    scores : importance (larger = keep) by parameter name, each tensor of its parameter's shape.
    sparsity : share of the weights to remove, in [0, 1].
    scope : "global" ranks all weights together; "layer" removes the same share of every tensor.
        Its counts are rounded by largest remainder, so that the total is exact.

    Returns
    -------
    Boolean masks on the scores' devices, True = keep, by the same names.

    Ties are broken by position: of equal scores the later weight (in the order of the mapping,
    then of the flattened tensor) goes first.

    Raises
    ------
    UserError : a score that is NaN, an unknown scope, a sparsity outside [0, 1], no scores.

    >>> prune({"w": torch.tensor([3.0, 1.0, 2.0, 1.0])}, 0.25)
    {'w': tensor([ True,  True,  True, False])}
    """
    if not scores:
        raise UserError("scores are empty; expected one tensor for each prunable parameter")
    if scope not in SCOPES:
        raise one_of("scope", scope, SCOPES)
    for name, score in scores.items():
        if torch.isnan(score).any():
            raise UserError(f"scores of {name} contain NaN; expected finite or infinite numbers")
    sizes = [score.numel() for score in scores.values()]
    removed = removed_count(sum(sizes), sparsity)
    flat = [score.detach().flatten().to(torch.float64).cpu() for score in scores.values()]
    if scope == "global":
        kept = _keep_largest(torch.cat(flat), removed).split(sizes)
    else:
        counts = _apportion(sizes, sparsity, removed)
        kept = tuple(_keep_largest(f, count) for f, count in zip(flat, counts, strict=True))
    return {
        name: mask.reshape(score.shape).to(score.device)
        for (name, score), mask in zip(scores.items(), kept, strict=True)
    }


def _keep_largest(values: Tensor, removed: int) -> Tensor:
    # stable and descending: the last `removed` places hold the smallest values, and among equal
    # values the later ones
    order = torch.sort(values, descending=True, stable=True).indices
    mask = torch.ones(len(values), dtype=torch.bool)
    mask[order[len(values) - removed :]] = False
    return mask


def _apportion(sizes: list[int], sparsity: float, total: int) -> list[int]:
    """Whole numbers summing to ``total``, each within one of ``sparsity * size``."""
    quotas = [sparsity * size for size in sizes]
    counts = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(sizes)), key=lambda i: (counts[i] - quotas[i], i))
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return counts


def check(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Raise UserError unless every mask is boolean and names a parameter of its own shape."""
    parameters = dict(model.named_parameters())
    for name, mask in masks.items():
        if name not in parameters:
            raise one_of("mask for parameter", name, parameters)
        shape = tuple(parameters[name].shape)
        if tuple(mask.shape) != shape:
            raise UserError(f"mask of {name} has shape {tuple(mask.shape)}; expected {shape}")
        if mask.dtype != torch.bool:
            raise UserError(f"mask of {name} has dtype {mask.dtype}; expected torch.bool")


@torch.no_grad()
def apply(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set every weight of ``model`` whose mask is False to exactly 0.0, in place.

    Raises UserError if a mask names no parameter, or differs in shape or dtype.
    """
    check(model, masks)
    parameters = dict(model.named_parameters())
    for name, mask in masks.items():
        parameters[name].masked_fill_(~mask.to(parameters[name].device), 0.0)


@torch.no_grad()
def rescale(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Scale the kept weights of each output channel to the norm of all its weights, in place.

    w_i ← w_i · ‖w_i‖ / ‖w_i ⊙ m_i‖ for each output channel i (row, filter). A channel that keeps no
    weight is not changed. This is for untrained networks: the initial scale suits the full fan-in.
    With a sixteenth of the weights, signals fade from layer to layer and nothing is learnt.

    Source: Evci et al., Gradient Flow in Sparse Neural Networks, AAAI 2022, arXiv 2010.03533. They
    scale by the number of kept weights. The norm gives the same scale in the mean, and it is also
    right where the kept weights are the large ones.

    Raises UserError if a mask names no parameter, or differs in shape or dtype.

    >>> rescale(model, masks)
    >>> apply(model, masks)
    """
    check(model, masks)
    parameters = dict(model.named_parameters())
    for name, mask in masks.items():
        weight = parameters[name]
        whole = weight.flatten(1).norm(dim=1)
        kept = (weight * mask.to(weight.device)).flatten(1).norm(dim=1)
        factor = torch.where(kept > 0, whole / kept, torch.ones_like(whole))
        weight.mul_(factor.reshape(-1, *[1] * (weight.ndim - 1)))


def sparsity_of(masks: Mapping[str, Tensor]) -> float:
    """Share of the masked weights that is removed: zeros / size over all masks together."""
    total = sum(mask.numel() for mask in masks.values())
    kept = sum(int(mask.sum()) for mask in masks.values())
    return 1.0 - kept / total
