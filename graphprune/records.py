"""From the files of a finished network to what is recorded of it in MLflow."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path

from graphprune.regimes import FINETUNE
from graphprune.tracking import UnitRecord

# what a history holds that the same seed reproduces
CURVES = ("loss", "accuracy_train", "accuracy_validation", "learning_rate")
UNIT_METRICS = (
    "sparsity",
    "params_total",
    "params_kept",
    "flops_total",
    "flops_kept",
    "file_size_total",
    "file_size_kept",
    "accuracy_dense",
    "accuracy_pruned",
    "accuracy_finetuned",
    "epochs",
    "seconds_score",
    "seconds_finetune",
)
UNIT_LABELS = ("dataset", "model", "seed", "regime", "method", "compression")


def dense_record(
    labels: Mapping[str, object],
    settings: Mapping[str, object],
    folder: Path,
    dense_accuracy: float,
    tags: Mapping[str, object],
) -> UnitRecord:
    """The parent run: training of the dense network whose files lie in ``folder``.

    labels: dataset, model, seed. settings: everything that was configured for it.
    """
    history = folder / "history.csv"
    start, end = _times(history, sum(_column(history, "seconds")))
    return UnitRecord(
        unit="{dataset}/{model}/seed{seed}".format(**labels),
        params={**labels, **settings},
        metrics={"accuracy_dense": dense_accuracy},
        curves=_curves(history, "train"),
        tags={**tags, **labels, "stage": "evaluate", "method": "dense"},
        artifacts={"dense": _files(folder)},
        start_time_ms=start,
        end_time_ms=end,
    )


def unit_record(
    metrics_path: Path, settings: Mapping[str, object], tags: Mapping[str, object]
) -> UnitRecord:
    """The child run of the unit whose ``metrics.json`` is given; its files lie beside that.

    settings: everything that was configured for it. Files of its method that all ratios share lie
    one folder above; they are recorded once.
    """
    metrics = json.loads(metrics_path.read_text())
    folder = metrics_path.parent
    labels = {label: metrics[label] for label in UNIT_LABELS}
    name = "{method} x{compression:g}".format(**labels)
    start, end = _times(metrics_path, metrics["seconds_score"] + metrics["seconds_finetune"])
    report = {f"score/{key}": value for key, value in metrics["report"].items()}
    densities = {f"density/{row['layer']}": row["density"] for row in metrics["layers"]}
    return UnitRecord(
        unit="{dataset}/{model}/seed{seed}/{regime}/{method}/x{compression:g}".format(**labels),
        name=name if labels["regime"] == FINETUNE else f"{name} from {labels['regime']}",
        params={**labels, **settings},
        metrics={**{key: metrics[key] for key in UNIT_METRICS}, **report, **densities},
        curves=_curves(folder / "history.csv", "finetune"),
        tags={**tags, **labels, "stage": "evaluate"},
        artifacts={"unit": _files(folder)},
        shared={"{regime}/{method}".format(**labels): _files(folder.parent)},
        start_time_ms=start,
        end_time_ms=end,
    )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def _times(written: Path, seconds: float) -> tuple[int, int]:
    """Start and end of the work whose last file is ``written``, in Unix milliseconds."""
    end = int(1000 * written.stat().st_mtime)
    return end - int(1000 * seconds), end


def _column(history: Path, name: str) -> list[float]:
    with history.open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file)]


def _curves(history: Path, stage: str) -> dict[str, list[tuple[int, float]]]:
    with history.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        f"{stage}/{name}": [(int(row["epoch"]), float(row[name])) for row in rows]
        for name in CURVES
        if rows and name in rows[0]
    }
