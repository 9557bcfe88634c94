"""Curvature of the neural graph: its distribution by layer, and what its order of removal costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.ticker import MultipleLocator

from graphprune.errors import UserError, require
from graphprune.figures.style import (
    BLUE,
    ORANGE,
    VERMILLION,
    Look,
    looks,
    new_figure,
    styled,
)
from graphprune.methods.curvature import Curvature
from graphprune.methods.magnitude import Magnitude
from graphprune.methods.random import Random
from graphprune.statistics import interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BINS = 60
ORDERS = {
    "most positive first": Look(
        Curvature.colour, Curvature.marker, "Most positive curvature first"
    ),
    "most negative first": Look(ORANGE, "d", "Most negative curvature first"),
    "magnitude": Look(Magnitude.colour, Magnitude.marker, "Smallest magnitude first"),
    "random": Look(Random.colour, Random.marker, Random.title),
}


@styled
def curvature_histogram(
    curvature: Mapping[str, npt.ArrayLike],
    title: str = "",
    inactive: Mapping[str, float] | None = None,
) -> Figure:
    """Histogram of κ by layer, negative and positive curvature in two colours.

    curvature: κ of every scored weight by layer, from input to output (any shape; NaN is an error).
    inactive: by layer, the value that stands for "no example used this edge"; by default 1 for the
        first and the last layer and 2 between. Weights at exactly this value are left out of the
        bars and given as a share. The count axis is logarithmic.
    """
    values = {
        name: np.asarray(array, dtype=np.float64).ravel() for name, array in curvature.items()
    }
    if not values or any(array.size == 0 or np.isnan(array).any() for array in values.values()):
        raise UserError("curvature histogram: needs layers, each with values and none of them NaN")
    names = list(values)
    supremum = {name: 1.0 if name in (names[0], names[-1]) else 2.0 for name in names}
    supremum |= dict(inactive or {})
    live = {name: array[array != supremum[name]] for name, array in values.items()}
    every = np.concatenate([np.zeros(0), *live.values()])
    edges = _edges(every)
    columns = min(len(names), 2 if len(names) in (2, 4) else 3)
    rows = -(-len(names) // columns)
    figure = new_figure(max(4.0, 2.5 * columns), 1.75 * rows + 0.8)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for ax, name in zip(axes.flat, names, strict=False):
        _histogram(ax, name, live[name], values[name].size, edges)
    axes[0, 0].set_ylim(0.7, 2 * max(ax.dataLim.ymax for ax in axes.flat[: len(names)]))
    for ax in axes.flat[len(names) :]:
        ax.set_visible(False)
    for column in range(columns):
        last = axes[(len(names) - 1 - column) // columns, column]
        last.set_xlabel("Curvature κ")
        last.tick_params(labelbottom=True)
    for ax in axes[:, 0]:
        ax.set_ylabel("Weights")
    if title:
        figure.suptitle(title)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def _edges(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Bin edges of one width, 0 among them."""
    low, high = (min(values.min(), 0.0), max(values.max(), 0.0)) if values.size else (-1.0, 1.0)
    width = max(high - low, 1e-9) / _BINS
    below, above = int(np.ceil(-low / width - 1e-9)), int(np.ceil(high / width - 1e-9))
    return width * np.arange(-max(below, 1), max(above, 1) + 1)


def _histogram(
    ax: Axes, name: str, live: npt.NDArray[np.float64], total: int, edges: npt.NDArray[np.float64]
) -> None:
    for values, colour, label in (
        (live[live < 0], VERMILLION, "negative"),
        (live[live >= 0], BLUE, "zero or positive"),
    ):
        ax.hist(values, edges.tolist(), histtype="stepfilled", color=colour, label=label)
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_yscale("log")
    negative, inactive = np.mean(live < 0) if live.size else 0.0, 1 - live.size / total
    ax.set_title(
        f"{name}\n{100 * negative * live.size / total:.0f} % negative, "
        f"{100 * inactive:.0f} % inactive", loc="left", fontsize=8,
    )  # fmt: skip


@styled
def removal_curves(table: pd.DataFrame, title: str = "") -> Figure:
    """Test accuracy without fine-tuning against the share of weights removed, one line an order.

    The curves of arXiv 2601.16366: removing the most positive edges first keeps the accuracy,
    removing the most negative first destroys it. Lines are means over seeds, bands their 95 %
    t-intervals.

    table: columns order ("most positive first", "most negative first", "magnitude", "random" or
    others), removed and accuracy (both in [0, 1]), seed.
    """
    require(table, ["order", "removed", "accuracy", "seed"], "removal curves")
    names = set(table["order"])
    shown = {order: look for order, look in ORDERS.items() if order in names}
    shown |= looks(names - set(ORDERS))
    figure = new_figure(4.8, 3.9)
    ax = figure.subplots()
    for order, look in shown.items():
        groups = table[table["order"] == order].groupby("removed")["accuracy"]
        points = pd.DataFrame({x: interval(values) for x, values in groups}, index=["mean", "half"])
        x = 100 * points.columns.to_numpy(dtype=np.float64)
        mean, half = 100 * points.loc["mean"], 100 * points.loc["half"].fillna(0.0)
        ax.fill_between(x, mean - half, mean + half, color=look.colour, alpha=0.15, lw=0)
        ax.plot(
            x, mean, color=look.colour, marker=look.marker, label=look.label, markersize=4,
            markeredgecolor="white", markeredgewidth=0.4, gid=order,
        )  # fmt: skip
    ax.set_xlim(-2, 102)
    ax.set_ylim(-3, 103)
    ax.xaxis.set_major_locator(MultipleLocator(10))
    ax.set_xlabel("Weights removed (%)")
    ax.set_ylabel("Test accuracy, no fine-tuning (%)")
    ax.set_title(title, loc="left")
    figure.legend(loc="outside lower center", ncols=2)
    return figure
