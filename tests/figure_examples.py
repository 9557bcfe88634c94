"""Tables, curvatures and graphs to draw, and one figure of every family."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from graphprune import figures

METHODS = ("magnitude", "random", "rgp", "mine")
KEPT = {"magnitude": {2: 500, 4: 250}, "random": {2: 500, 4: 250}, "mine": {2: 500, 4: 250}}
KEPT["rgp"] = {2: 640, 4: 310}  # a graph's density is a multiple of 1/n, never quite the one asked


def units(seeds: int = 3, networks: tuple[tuple[str, str], ...] = (("digits", "mlp"),)):
    rng = np.random.default_rng(0)
    rows = [
        {
            "dataset": dataset,
            "network": model,
            "model": model,
            "seed": seed,
            "regime": "finetune",
            "method": method,
            "compression": ratio,
            "params_total": 1000,
            "params_kept": KEPT[method][ratio],
            "accuracy_dense": 0.95 + 0.01 * seed,
            "accuracy_pruned": rng.uniform(0.1, 0.9),
            "accuracy_finetuned": rng.uniform(0.8, 0.95),
            "seconds_score": rng.uniform(0.1, 2.0),
        }
        for dataset, model in networks
        for seed in range(seeds)
        for method in METHODS
        for ratio in (2, 4)
    ]
    return pd.DataFrame(rows)


def layers() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"method": method, "compression": ratio, "layer": name, "density": share, "seed": seed}
            for method in METHODS
            for ratio in (2, 4)
            for seed in (0, 1)
            for name, share in (("conv", 1.0), ("fc", 0.5 / ratio + 0.1 * seed), ("out", 0.02))
        ]
    )


def removal() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"order": order, "removed": share, "accuracy": 0.9 - share / 2, "seed": seed}
            for order in ("most negative first", "random", "most positive first", "magnitude")
            for share in (0.0, 0.25, 0.5)
            for seed in (0, 1)
        ]
    )


def ring(n: int = 8) -> np.ndarray:
    step = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    return (step == 1) | (step == n - 1)


def history() -> pd.DataFrame:
    return pd.DataFrame({"epoch": [1, 2], "loss": [1.0, 0.5], "accuracy_validation": [0.5, 0.75]})


def kappa() -> dict[str, np.ndarray]:
    return {
        "conv": np.array([[-3.0, 0.5], [1.0, 1.0]]),
        "fc": np.array([-1.0, -0.25, 1.0, 2.0]),
        "out": np.array([-0.5, 1.0]),
    }


def net() -> Figure:
    return figures.neural_graph([0, 0, 1, 2], [2, 3, 2, 4], [0, 0, 1, 1, 2], [-2.0, 0.5, -1, 1])


FAMILIES = {
    "accuracy": lambda: figures.accuracy_against_compression(units()),
    "cost": lambda: figures.scoring_cost(units()),
    "density": lambda: figures.layer_density(layers()),
    "histogram": lambda: figures.curvature_histogram(kappa(), "a title"),
    "removal": lambda: figures.removal_curves(removal()),
    "regular": lambda: figures.regular_graph(ring()),
    "neural": net,
    "unit": lambda: figures.unit_figure(history(), {"conv": 0.5, "fc": 0.1}, "rgp", "a title"),
}


def line(ax: Axes, gid: str) -> Line2D:
    return next(found for found in ax.lines if found.get_gid() == gid)
