"""What pruned networks save: FLOPs, bytes and time."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from graphprune.comparison.columns import NETWORK
from graphprune.comparison.relative_cost import KEYS, one_regime, relative_cost
from graphprune.errors import UserError, require
from graphprune.figures.accuracy import _ratio_axis
from graphprune.figures.style import DARK, GREY, looks, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

_COSTS = {
    "flops": "FLOPs",
    "file_size": "File size",
    "latency_1": "Latency, batch 1",
    "latency_64": "Latency, batch 64",
}


@styled
def cost_against_compression(units: pd.DataFrame) -> Figure:
    """FLOPs, file size and latency of the pruned networks as a share of the dense ones.

    A row per network, a column per cost, a line per method through the means over the units that
    have a value; x is params_total / params_kept, not the ratio asked for. The dashed line is the
    dense network, the dotted one the share of weights kept. Masks decide these costs: where a
    method has several regimes on a network, only "finetune" is drawn.

    units: columns dataset, network, seed, regime, method, compression, params_total, params_kept
    and, of each cost, <cost>_total and <cost>_kept with <cost> one of flops, file_size (bytes),
    latency_1, latency_64 (seconds). NaN: not measured. A cost no unit has gets no column.

    >>> save(cost_against_compression(units), "cost")  # doctest: +SKIP
    """
    pairs = [f"{cost}_{end}" for cost in _COSTS for end in ("total", "kept")]
    require(units, ["seed", *KEYS, *pairs], "cost figure")
    drawn = one_regime(units)
    shown = [c for c in _COSTS if drawn[[f"{c}_total", f"{c}_kept"]].notna().all(axis=1).any()]
    if not shown:
        raise UserError("cost figure: no cost has a value; allowed: at least one")
    networks = list(drawn.groupby(NETWORK, sort=False))
    figure = new_figure(2.1 * len(shown) + 0.4, 2.1 * len(networks) + 0.8)
    axes = figure.subplots(
        len(networks), len(shown), squeeze=False, sharex="row", sharey="row"
    )  # fmt: skip
    handles: dict[str, Artist] = {}
    for row, (names, table) in zip(axes, networks, strict=True):
        for ax, cost in zip(row, shown, strict=True):
            _panel(ax, relative_cost(table, cost), table, units["method"])
            ax.set_title(_COSTS[cost], loc="left")
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        row[0].set_ylabel(f"{' · '.join(map(str, names))}\nshare of dense")
    for ax in axes[-1]:
        ax.set_xlabel("Compression ratio")
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=4)
    return figure


def _panel(ax: Axes, lines: pd.DataFrame, table: pd.DataFrame, methods: pd.Series[str]) -> None:
    reached = (table["params_total"] / table["params_kept"]).to_numpy(dtype=np.float64)
    ends = np.array([reached.min(), reached.max()])
    ax.axhline(1.0, color=DARK, linestyle="--", linewidth=1.0, label="Dense", zorder=1.5)
    ax.plot(ends, 1.0 / ends, color=GREY, linestyle=":", linewidth=1.0, label="Weights kept")
    for method, look in looks(methods).items():
        line = lines[lines["method"] == method]
        if line.empty:
            continue
        ax.plot(
            line["x"], line["share"], color=look.colour, marker=look.marker, label=look.label,
            markeredgecolor="white", markeredgewidth=0.5, gid=method,
        )  # fmt: skip
    if lines.empty:
        ax.text(0.5, 0.5, "not measured", transform=ax.transAxes, ha="center", color=GREY)
    _ratio_axis(ax, reached, table["compression"].to_numpy(dtype=np.float64))
    ax.set_yscale("log", base=2)
    ax.yaxis.set_major_locator(LogLocator(base=2, numticks=20))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: str(Fraction(value).limit_denominator(4096)))
    )
