"""How far from 0 and 1 ProbMask's keep probabilities ended."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter

from graphprune.errors import UserError
from graphprune.figures.style import PURPLE, WIDTH, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_COLUMNS = 4
_PREFIX = "probability_histogram_"


@styled
def keep_probabilities(reports: pd.DataFrame, title: str = "") -> Figure:
    """Histograms of the final keep probabilities s, one panel per compression ratio.

    Bars are the shares of the weights by s in equal parts of [0, 1], logarithmic, mean over the
    seeds; the panel's title holds the mean entropy of s in bits, 0 where every s is 0 or 1.

    reports: a row per run with the columns compression, entropy_mean and probability_histogram_0,
        _1, ... as in ProbMask's report.

    Raises UserError if a column is missing or there is no row.

    >>> figure = keep_probabilities(pd.DataFrame([{"compression": 20.0, **result.report}]))
    """
    bins = [name for name in reports.columns if name.startswith(_PREFIX)]
    if not bins or not len(reports) or not {"compression", "entropy_mean"} <= set(reports.columns):
        raise UserError(
            "keep probabilities figure: expected rows with the columns compression, entropy_mean "
            f"and {_PREFIX}0, ..."
        )
    bins.sort(key=lambda name: int(name.removeprefix(_PREFIX)))
    means = reports.groupby("compression")[[*bins, "entropy_mean"]].mean().sort_index()
    rows = math.ceil(len(means) / _COLUMNS)
    columns = min(len(means), _COLUMNS)
    figure = new_figure(min(WIDTH, 1.0 + 2.0 * columns), 0.7 + 1.8 * rows)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    shares = means[bins].to_numpy(dtype=np.float64)
    floor = 10.0 ** math.floor(math.log10(0.5 * shares[shares > 0].min()))
    for ax, (ratio, row) in zip(grid.flat, means.iterrows(), strict=False):
        _panel(ax, row[bins].to_numpy(dtype=np.float64), floor)
        ax.set_title(f"{ratio:g}×\nentropy {row['entropy_mean']:.2g} bit", loc="left")
    for ax in list(grid.flat)[len(means) :]:
        ax.set_axis_off()
    for ax in list(grid.flat)[max(0, len(means) - columns) : len(means)]:
        # the last panel of a column shows its labels, also where it is not in the last row
        ax.tick_params(labelbottom=True)
    figure.supxlabel("Keep probability s", fontsize=9)
    figure.supylabel("Share of the weights (%)", fontsize=9)
    if title:
        figure.suptitle(title)
    return figure


def _panel(ax: Axes, shares: NDArray[np.float64], floor: float) -> None:
    edges = np.linspace(0.0, 1.0, len(shares) + 1)
    ax.bar(
        edges[:-1], 100 * shares, width=np.diff(edges), align="edge", edgecolor="white",
        color=PURPLE, linewidth=0.5,
    )  # fmt: skip
    ax.set_yscale("log")
    ax.set_ylim(100 * floor, 200.0)
    ax.set_xlim(0.0, 1.0)
    ax.set_xticks([0.0, 0.5, 1.0])
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.grid(False, axis="x")
