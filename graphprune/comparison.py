"""The comparison of all units: one tidy table, and one of their layers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from graphprune.errors import UserError

COLUMNS = [
    "dataset",
    "model",
    "seed",
    "regime",
    "method",
    "compression",
    "sparsity",
    "params_total",
    "params_kept",
    "flops_total",
    "flops_kept",
    "accuracy_dense",
    "accuracy_pruned",
    "accuracy_finetuned",
    "seconds_score",
    "seconds_finetune",
]
KEY = COLUMNS[:6]


def tables(paths: Iterable[str | Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The units' ``metrics.json`` files as two tables, sorted by unit.

    Returns
    -------
    units : a row per unit with the columns ``COLUMNS``; accuracies and sparsity in [0, 1], times
        in seconds, FLOPs per example.
    layers : a row per unit and layer: the unit's key, layer, density in [0, 1], flops_kept.

    Raises UserError naming a file that does not hold a unit's metrics.
    """
    units, layers = [], []
    for path in paths:
        try:
            metrics = json.loads(Path(path).read_text())
            units.append({column: metrics[column] for column in COLUMNS})
            key = {column: metrics[column] for column in KEY}
            layers += [{**key, **layer} for layer in metrics["layers"]]
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{path}: not the metrics of a unit ({error!r})") from error
    order = [column for column in KEY if column != "regime"]
    return (
        pd.DataFrame(units, columns=COLUMNS).sort_values(order, ignore_index=True),
        pd.DataFrame(layers).sort_values(order, ignore_index=True, kind="stable"),
    )
