"""How a method spreads its weights over the layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter

from graphprune.comparison.columns import NETWORK
from graphprune.errors import UserError, require
from graphprune.figures.style import Look, looks, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_ANNOTATED = 16


@styled
def layer_density(layers: pd.DataFrame) -> Figure:
    """Heat map of the share of weights kept, rows by method and ratio, columns by layer.

    The colour is logarithmic; cells hold the percentage (up to 16 layers). A layer without any
    weight left is hatched.

    layers: columns method, compression, layer, density in [0, 1]; rows of several seeds are
    averaged. Layers appear in the order of their first row. Columns dataset, network and regime, if
    present, must each hold one value, which goes into the title.
    """
    import seaborn as sns

    require(layers, ["method", "compression", "layer", "density"], "density figure")
    title = _single(layers)
    shown = looks(layers["method"])
    names = list(dict.fromkeys(layers["layer"]))
    table = layers.pivot_table(
        index=["method", "compression"], columns="layer", values="density", aggfunc="mean"
    )
    table = table.reindex(columns=names)
    rows = [(m, c) for m in shown for c in sorted(table.loc[m].index)]
    values = 100 * table.loc[rows].to_numpy(dtype=np.float64)
    positive = values[values > 0]
    if not positive.size:
        raise UserError("density figure: every density is 0 or missing; allowed: some above 0")
    annotated = len(names) <= _MOST_ANNOTATED
    figure = new_figure(
        max(4.5, 2.6 + (0.62 if annotated else 0.3) * len(names)), 0.21 * len(rows) + 1.3
    )
    ax = figure.subplots()
    ax.grid(False)
    ax.patch.set(facecolor="white", edgecolor="#999999", hatch="////")
    sns.heatmap(
        values, ax=ax, mask=~(values > 0), cmap="viridis",
        norm=LogNorm(min(positive.min(), 99.0), 100.0),
        annot=np.vectorize(_percent)(values) if annotated else False, fmt="",
        annot_kws={"fontsize": 8}, linewidths=0.5, linecolor="white",
        cbar_kws={"label": "Weights kept (%)", "format": FuncFormatter(lambda v, _: f"{v:g}")},
    )  # fmt: skip
    ax.set_xticks(np.arange(len(names)) + 0.5, names, rotation=30, ha="right")
    ax.set_yticks(
        np.arange(len(rows)) + 0.5, [f"{ratio:g}×" for _, ratio in rows], rotation=0
    )  # fmt: skip
    ax.tick_params(length=0)
    _bracket(ax, rows, shown)
    ax.set_xlabel("Layer")
    ax.set_title(title, loc="left")
    return figure


def _single(layers: pd.DataFrame) -> str:
    names = []
    for column in (*NETWORK, "regime"):
        if column in layers.columns:
            values = layers[column].unique()
            if len(values) > 1:
                raise UserError(
                    f"density figure: the table has {len(values)} values of {column!r}; "
                    "allowed: one network at a time"
                )
            names.append(str(values[0]))
    return " · ".join(names[:2])


def _percent(value: float) -> str:
    if np.isnan(value):
        return ""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 0.995 else f"{value:.2g}"


def _bracket(ax: Axes, rows: list[tuple[str, float]], shown: dict[str, Look]) -> None:
    """The method's name beside its rows, a line between methods."""
    methods = [method for method, _ in rows]
    for method, look in shown.items():
        first, count = methods.index(method), methods.count(method)
        ax.annotate(
            look.label.replace(" (", "\n("), (0, first + count / 2), xytext=(-36, 0),
            xycoords=("axes fraction", "data"), textcoords="offset points", ha="right",
            va="center", fontsize=8,
            bbox={"boxstyle": "round,pad=0.35", "fc": "white", "ec": look.colour, "lw": 2},
        )  # fmt: skip
        if first:
            ax.axhline(first, color="black", linewidth=1.2)
