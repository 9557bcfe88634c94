"""Accuracy against compression, and what the scores cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from graphprune.comparison.columns import NETWORK
from graphprune.errors import one_of, require
from graphprune.figures.style import DARK, looks, new_figure, styled
from graphprune.statistics import interval

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

_STAGES = {"pruned": "accuracy_pruned", "finetuned": "accuracy_finetuned"}
_HEADINGS = {
    ("pruned", "finetune"): "before fine-tuning",
    ("finetuned", "finetune"): "after fine-tuning",
    ("pruned", "scratch"): "before training",
    ("finetuned", "scratch"): "trained from scratch",
}
_COMPRESSION = "Compression ratio (total / kept weights)"


@styled
def accuracy_against_compression(units: pd.DataFrame, stage: str = "both") -> Figure:
    """Test accuracy against the compression achieved: a column per network, a row per regime.

    Points are means over seeds, bands their 95 % t-intervals, the dashed line the dense network
    with its interval. x is params_total / params_kept, not the ratio asked for.

    units: columns dataset, network, seed, regime, method, compression, params_total, params_kept,
    accuracy_dense, accuracy_pruned, accuracy_finetuned (in [0, 1]); a row per unit.
    stage: "pruned" (before fine-tuning), "finetuned" (after) or "both" (rows for each).

    >>> save(accuracy_against_compression(units), "accuracy")  # doctest: +SKIP
    """
    if stage not in (*_STAGES, "both"):
        raise one_of("stage", stage, (*_STAGES, "both"))
    chosen = list(_STAGES) if stage == "both" else [stage]
    columns = [_STAGES[name] for name in chosen]
    keys = [*NETWORK, "seed", "regime", "method", "compression"]
    require(
        units, [*keys, "params_total", "params_kept", "accuracy_dense", *columns], "accuracy figure"
    )
    panels = _panels(units)
    rows = [(name, regime) for regime in sorted(set(units["regime"])) for name in chosen]
    figure = new_figure(max(4.2, 3.5 * len(panels)), 2.6 * len(rows) + 0.7)
    axes = figure.subplots(len(rows), len(panels), squeeze=False, sharex="col")
    for column, (title, table) in enumerate(panels.items()):
        for row, (name, regime) in enumerate(rows):
            mine = table[table["regime"] == regime]
            if mine.empty:
                axes[row, column].set_axis_off()
                continue
            _accuracy(axes[row, column], mine, _STAGES[name], units["method"])
            heading = _HEADINGS.get((name, regime), f"{name}, {regime}")
            axes[row, column].set_title(f"{title}, {heading}", loc="left")
        axes[-1, column].set_xlabel(_COMPRESSION)
    for row in axes[:, 0]:
        row.set_ylabel("Test accuracy (%)")
    handles: dict[str, Artist] = {}
    for ax in axes.flat:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    order = ["Dense", *(look.label for look in looks(units["method"]).values())]
    shown = [label for label in order if label in handles]
    figure.legend(
        [handles[label] for label in shown], shown, loc="outside lower center",
        ncols=4 if len(panels) > 1 else 2,
    )  # fmt: skip
    return figure


def achieved(units: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean and interval of ``column`` over seeds, by the compression achieved.

    Returns a row per method and ratio asked for, sorted by x: method, compression, x
    (params_total / params_kept, averaged over seeds), mean, half (half the interval's width).
    """
    rows = []
    for (method, ratio), group in units.groupby(["method", "compression"], sort=True):
        x = float((group["params_total"] / group["params_kept"]).mean())
        mean, half = interval(group[column])
        rows.append(
            {"method": method, "compression": ratio, "x": x, "mean": mean, "half": half}
        )  # fmt: skip
    return pd.DataFrame(rows).sort_values(["method", "x"], ignore_index=True)


def _panels(units: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The units of each network by the panel's title."""
    networks = units.groupby(NETWORK, sort=False)
    return {" · ".join(map(str, names)): table for names, table in networks}


def _accuracy(ax: Axes, table: pd.DataFrame, column: str, methods: pd.Series[str]) -> None:
    points = achieved(table, column)
    dense, spread = interval(table.groupby("seed")["accuracy_dense"].first())
    ax.axhline(100 * dense, color=DARK, linestyle="--", linewidth=1.0, label="Dense", zorder=1.5)
    if spread == spread:
        ax.axhspan(100 * (dense - spread), 100 * (dense + spread), color=DARK, alpha=0.10, lw=0)
    for method, look in looks(methods).items():
        line = points[points["method"] == method]
        if line.empty:
            continue
        mean, half = 100 * line["mean"], 100 * line["half"].fillna(0.0)
        ax.fill_between(line["x"], mean - half, mean + half, color=look.colour, alpha=0.15, lw=0)
        ax.plot(
            line["x"], mean, color=look.colour, marker=look.marker, label=look.label,
            markeredgecolor="white", markeredgewidth=0.5, gid=method,
        )  # fmt: skip
    _ratio_axis(ax, points["x"].to_numpy(), table["compression"].to_numpy())
    low, high = ax.get_ylim()
    ax.set_ylim(max(low, -3.0), min(high, 103.0))


def _ratio_axis(ax: Axes, reached: Floats, wanted: Floats) -> None:
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(FixedLocator(sorted({float(ratio) for ratio in wanted})))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    ends = np.concatenate([reached, wanted])
    ax.set_xlim(ends.min() / 1.15, ends.max() * 1.15)


@styled
def scoring_cost(units: pd.DataFrame) -> Figure:
    """Wall time of each method's score, a panel per network: a point per seed, the mean as a bar.

    units: columns dataset, network, seed, regime, method, seconds_score (above 0, in seconds; the
    mean over a seed's ratios and regimes is shown).
    """
    require(
        units, [*NETWORK, "seed", "regime", "method", "seconds_score"], "cost figure"
    )  # fmt: skip
    panels = _panels(units)
    shown = looks(units["method"])
    figure = new_figure(max(4.5, 3.5 * len(panels)), 0.3 * len(shown) + 1.1)
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for ax, (title, table) in zip(axes, panels.items(), strict=True):
        for row, (method, look) in enumerate(shown.items()):
            runs = table[table["method"] == method].groupby("seed")["seconds_score"].mean()
            if runs.empty:
                continue
            ax.plot([runs.mean()] * 2, [row - 0.3, row + 0.3], color=look.colour, linewidth=2.5)
            ax.plot(
                runs, [row] * len(runs), color=look.colour, marker=look.marker, linestyle="",
                alpha=0.7, markeredgecolor="white", markeredgewidth=0.5, gid=method,
            )  # fmt: skip
        ax.set_xscale("log")
        ax.set_yticks(range(len(shown)), [look.label for look in shown.values()])
        ax.set_title(title, loc="left")
        ax.set_xlabel("Time to score (s)")
    axes[0].set_ylim(len(shown) - 0.5, -0.5)
    return figure
