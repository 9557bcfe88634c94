"""Masks: which weights stay. From scores to masks, from masks to a pruned network."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING

import torch

from graphprune.errors import UserError, one_of, shown
from graphprune.layers import finding

if TYPE_CHECKING:
    from torch import Tensor, nn

Masks = dict[str, "Tensor"]
SCOPES = ("global", "layer")


def prunable(model: nn.Module) -> dict[str, nn.Parameter]:
    """The weights that pruning may remove, by their name in ``model.state_dict()``.

    - The weights of linear and convolution layers, and of `torch.nn.MultiheadAttention`: its output
      projection, and the projections of query, key and value, which are three layers also where
      they are the rows of one ``in_proj_weight``.
    - A weight that several modules share appears once, under the name it has in the first of them
      that is prunable. Masks may use any of its names.

    Never pruned and not counted: biases; norms, embeddings and PReLU; all below a module that has
    ``never_pruned = True``; and parameters of a module that contains others, such as tokens,
    position embeddings and scales, unless "weight" is in their name.

    Raises
    ------
    UserError : names the module and its type. It has a matrix that is none of these (LSTM,
        transposed convolution, bilinear, a module of your own), or computes its weight from other
        parameters (weight norm, spectral norm, parametrizations), or is quantised or not
        initialised. Also if nothing can be pruned.

    >>> list(prunable(nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))))
    ['0.weight']
    """
    return finding.weights(model)


def removed_count(total: int, sparsity: float) -> int:
    """How many of ``total`` weights go at ``sparsity``: the nearest whole number to the product."""
    number = isinstance(sparsity, Real) and not isinstance(sparsity, bool)
    if not number or not 0.0 <= sparsity <= 1.0:
        raise UserError(f"sparsity is {shown(sparsity)}; allowed: a number, 0 <= sparsity <= 1")
    return round(float(sparsity) * total)


def prune(scores: Mapping[str, Tensor], sparsity: float, scope: str = "global") -> Masks:
    """Masks that remove exactly ``round(sparsity * N)`` of N weights, the least important first.

    Parameters
    ----------
    scores : importance (larger = keep) by parameter name, each tensor of its parameter's shape.
    sparsity : share of the weights to remove, in [0, 1].
    scope : "global" ranks all weights together; "layer" removes the same share of every layer
        (query, key and value of an attention's ``in_proj_weight`` are three). Its counts are
        rounded by largest remainder, so that the total is exact.

    Returns
    -------
    Boolean masks on the scores' devices, True = keep, by the same names.

    Ties are broken by position: of equal scores the later weight (in the order of the mapping,
    then of the flattened tensor) goes first.

    Raises
    ------
    UserError : a score that is NaN or no tensor of real numbers, an unknown scope, a sparsity that
        is no number in [0, 1], no scores.

    >>> prune({"w": torch.tensor([3.0, 1.0, 2.0, 1.0])}, 0.25)
    {'w': tensor([ True,  True,  True, False])}
    """
    if scope not in SCOPES:
        raise one_of("scope", scope, SCOPES)
    _check_scores(scores)
    sizes = [score.numel() for score in scores.values()]
    removed = removed_count(sum(sizes), sparsity)
    flat = [score.detach().flatten().to(torch.float64).cpu() for score in scores.values()]
    if scope == "global":
        kept = _keep_largest(torch.cat(flat), removed).split(sizes)
    else:
        kept = _keep_by_layer(scores, flat, sparsity, removed)
    return {
        name: mask.reshape(score.shape).to(score.device)
        for (name, score), mask in zip(scores.items(), kept, strict=True)
    }


def _check_scores(scores: object) -> None:
    if not isinstance(scores, Mapping):
        raise UserError(f"scores are {type(scores).__name__}; expected a dictionary of tensors")
    if not scores:
        raise UserError("scores are empty; expected one tensor for each prunable parameter")
    for name, score in scores.items():
        if not isinstance(score, torch.Tensor):
            raise UserError(f"scores of {name} are {type(score).__name__}; expected a torch.Tensor")
        if score.is_complex() or score.is_meta or score.layout != torch.strided:
            raise UserError(
                f"scores of {name} are {score.dtype}, {score.layout}, on {score.device}; expected "
                "a dense tensor of real numbers"
            )
        if torch.isnan(score).any():
            raise UserError(f"scores of {name} contain NaN; expected finite or infinite numbers")


def _keep_by_layer(
    scores: Mapping[str, Tensor], flat: list[Tensor], sparsity: float, removed: int
) -> tuple[Tensor, ...]:
    layers: list[Tensor] = []
    counts_of = []
    for (name, score), values in zip(scores.items(), flat, strict=True):
        blocks = (
            values.tensor_split(len(finding.parts(name, len(score)))) if score.dim() else [values]
        )
        counts_of.append(len(blocks))
        layers.extend(blocks)
    counts = _apportion([len(layer) for layer in layers], float(sparsity), removed)
    kept = iter(_keep_largest(f, count) for f, count in zip(layers, counts, strict=True))
    return tuple(torch.cat([next(kept) for _ in range(blocks)]) for blocks in counts_of)


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
    """Raise UserError unless every mask is boolean and names a parameter of its own shape.

    A parameter that several modules share may go by any of its names, but by one alone.
    """
    if not isinstance(masks, Mapping):
        raise UserError(f"masks are {type(masks).__name__}; expected a dictionary of tensors")
    parameters = dict(model.named_parameters(remove_duplicate=False))
    names: dict[int, str] = {}
    for name, mask in masks.items():
        if name not in parameters:
            raise one_of("mask for parameter", name, parameters)
        if not isinstance(mask, torch.Tensor):
            raise UserError(f"mask of {name} is {type(mask).__name__}; expected a torch.Tensor")
        shape = tuple(parameters[name].shape)
        if tuple(mask.shape) != shape:
            raise UserError(f"mask of {name} has shape {tuple(mask.shape)}; expected {shape}")
        if mask.dtype != torch.bool:
            raise UserError(f"mask of {name} has dtype {mask.dtype}; expected torch.bool")
        if mask.is_meta or parameters[name].is_meta:
            raise UserError(f"{name} or its mask is on the meta device, which holds no values")
        if other := names.get(id(parameters[name])):
            raise UserError(f"masks name one shared weight twice, {other} and {name}; expected one")
        names[id(parameters[name])] = name


@torch.no_grad()
def apply(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set every weight of ``model`` whose mask is False to exactly 0.0, in place.

    Raises UserError if a mask names no parameter, or differs in shape or dtype.
    """
    check(model, masks)
    for name, mask in masks.items():
        weight = model.get_parameter(name)
        weight.masked_fill_(~mask.to(weight.device), 0.0)


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
    for name, mask in masks.items():
        weight = model.get_parameter(name)
        whole = weight.flatten(1).norm(dim=1)
        kept = (weight * mask.to(weight.device)).flatten(1).norm(dim=1)
        factor = torch.where(kept > 0, whole / kept, torch.ones_like(whole))
        weight.mul_(factor.reshape(-1, *[1] * (weight.ndim - 1)))


def sparsity_of(masks: Mapping[str, Tensor]) -> float:
    """Share of the masked weights that is removed: zeros / size over all masks together."""
    total = sum(mask.numel() for mask in masks.values())
    kept = sum(int(mask.sum()) for mask in masks.values())
    return 1.0 - kept / total
