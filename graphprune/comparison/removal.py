"""Removal curves: a network's accuracy while its weights are removed in a given order."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING

from graphprune.masks import apply, prune
from graphprune.methods.contract import run_checked
from graphprune.methods.magnitude import Magnitude
from graphprune.methods.random import Random
from graphprune.training.evaluation import accuracy

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graphprune.data import Split

SHARES = tuple(step / 20 for step in range(20))


def curves(
    model: nn.Module,
    examples: Split,
    curvature_importance: Mapping[str, Tensor],
    seed: int = 0,
    shares: tuple[float, ...] = SHARES,
    draws: int = 0,
) -> list[dict[str, object]]:
    """Accuracy without fine-tuning, against the share of weights removed, in four orders.

    "most positive first" and "most negative first" follow the curvature; "magnitude" (smallest
    first) and "random" stand beside them. These are the two figures of arXiv 2601.16366.

    curvature_importance: −κ by parameter name. shares: shares of the weights to remove, in [0, 1].
    seed: that of the run, which each row names. draws: seed of the order "random".

    Returns one row per order and share: order, removed, accuracy, seed. ``model`` is left as it is.
    """
    orders = {
        "most positive first": dict(curvature_importance),
        "most negative first": {name: -score for name, score in curvature_importance.items()},
        "magnitude": run_checked(Magnitude(), model).scores,
        "random": run_checked(Random(seed=draws), model).scores,
    }
    rows: list[dict[str, object]] = []
    for order, scores in orders.items():
        for share in shares:
            pruned = copy.deepcopy(model)
            apply(pruned, prune(scores, share))
            reached = accuracy(pruned, examples)
            rows.append({"order": order, "removed": share, "accuracy": reached, "seed": seed})
    return rows
