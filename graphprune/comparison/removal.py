"""Removal curves: a network's accuracy while its weights are removed in a given order."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from graphprune.comparison import reading
from graphprune.errors import UserError
from graphprune.masks import apply, prune
from graphprune.methods.contract import run_checked
from graphprune.methods.magnitude import Magnitude
from graphprune.methods.random import Random
from graphprune.training.evaluation import accuracy

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor, nn

    from graphprune.data import Split

SHARES = tuple(step / 20 for step in range(20))
# in which the weights go
ORDERS = ("most positive first", "most negative first", "magnitude", "random")


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
    importances = (
        dict(curvature_importance),
        {name: -score for name, score in curvature_importance.items()},
        run_checked(Magnitude(), model).scores,
        run_checked(Random(seed=draws), model).scores,
    )
    rows: list[dict[str, object]] = []
    for order, scores in zip(ORDERS, importances, strict=True):
        for share in shares:
            pruned = copy.deepcopy(model)
            apply(pruned, prune(scores, share))
            reached = accuracy(pruned, examples)
            rows.append({"order": order, "removed": share, "accuracy": reached, "seed": seed})
    return rows


def read(paths: Iterable[str | Path]) -> pd.DataFrame:
    """The rows of `curves` in files, one for each seed, as one table.

    Raises UserError, naming the file, if it is missing, damaged or not complete, and if two files
    hold the same seed.
    """
    import pandas as pd

    rows: dict[int, list[dict[str, object]]] = {}
    for path in paths:
        found = reading.removal(path, ORDERS, SHARES)
        if found[0]["seed"] in rows:
            raise UserError(f"{path}: holds seed {found[0]['seed']} once more; expected another")
        rows[found[0]["seed"]] = found
    return pd.DataFrame([row for found in rows.values() for row in found])
