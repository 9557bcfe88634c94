"""Learning curves as a training writes them while it runs."""

from __future__ import annotations

from pathlib import Path

from graphprune.training.live import LiveCurve

GROUP = "digits/mlp/seed0"
LABELS = {"dataset": "digits", "network": "mlp", "model": "mlp", "seed": 0}
LOSSES = [(1, 0.9), (2, 0.5), (3, 0.2)]


def rows(count: int) -> list[dict[str, float]]:
    return [{"epoch": epoch, "loss": loss, "seconds": 7.0} for epoch, loss in LOSSES[:count]]


def curve(results: Path, unit: str = GROUP, stage: str = "train", **labels: object) -> LiveCurve:
    return LiveCurve(results, unit, stage, {**LABELS, **labels})
