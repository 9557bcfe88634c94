"""Files of finished units as the workflow writes them, small and valid."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

LABELS: dict[str, Any] = {
    "dataset": "digits", "network": "mlp", "model": "mlp", "seed": 0, "regime": "finetune",
    "method": "magnitude", "compression": 2.0,
}  # fmt: skip
UNIT: dict[str, Any] = {
    **LABELS, "sparsity": 0.5, "params_total": 100, "params_kept": 50, "flops_total": 200,
    "flops_kept": 100, "file_size_total": 900, "file_size_kept": 500, "accuracy_dense": 0.9,
    "accuracy_pruned": 0.5, "accuracy_finetuned": 0.8, "epochs": 25, "seconds_score": 0.1,
    "seconds_finetune": 1.0, "report": {"aspl": 2.5},
    "layers": [
        {"layer": "fc1.weight", "density": 0.75, "flops_kept": 60},
        {"layer": "fc2.weight", "density": 0.25, "flops_kept": 40},
    ],
}  # fmt: skip
LATENCY = [
    {**LABELS, "batch_size": size, "dense": 0.5 * size, "masked": 0.4 * size, "compact": 0.2 * size}
    for size in (1, 64)
]
HISTORY = [
    {"epoch": number, "learning_rate": 0.1 / number, "loss": 1.0 / number, "accuracy_train": 0.5,
     "accuracy_validation": 0.25, "seconds": 0.5}
    for number in (1, 2, 3)
]  # fmt: skip


def changed(**changes: Any) -> dict[str, Any]:
    return {**UNIT, **changes}


def write_metrics(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def write_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
