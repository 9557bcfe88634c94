"""Accuracy of networks on regular graphs against the graphs' average path length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from graphprune.errors import require
from graphprune.figures.style import BLUE, DARK, GREY, new_figure, styled
from graphprune.statistics import interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from graphprune.regular_graphs import Correlation


@styled
def accuracy_against_aspl(
    runs: pd.DataFrame, correlation: Correlation, title: str = "", bound: float | None = None
) -> Figure:
    """Scatter of test accuracy against average shortest path length, with Spearman's ρ.

    Small points are single runs, large ones the mean over a graph's runs with its 95 % t-interval.
    ρ, its interval and its p-value are those of ``correlation``.

    runs: columns graph, aspl, accuracy (in [0, 1]); a row per trained network.
    bound: lower bound of the ASPL for graphs of this size, drawn as a dotted line.

    >>> save(accuracy_against_aspl(runs, correlation), "figure")  # doctest: +SKIP
    """
    require(runs, ["graph", "aspl", "accuracy"], "path length figure")
    figure = new_figure(5.0, 3.6)
    ax = figure.subplots()
    ax.plot(
        runs["aspl"], 100 * runs["accuracy"], color=BLUE, marker="o", linestyle="", alpha=0.35,
        markersize=3, markeredgewidth=0, label="one run", gid="runs",
    )  # fmt: skip
    graphs = list(runs.groupby("graph", sort=True))
    x = [float(group["aspl"].iloc[0]) for _, group in graphs]
    spread = [interval(100 * group["accuracy"]) for _, group in graphs]
    ax.errorbar(
        x, [mean for mean, _ in spread], yerr=[half for _, half in spread], color=DARK, fmt="o",
        capsize=2.5, elinewidth=1.0, markeredgecolor="white", markeredgewidth=0.5,
        label="mean over a graph's runs, 95 % interval", gid="means",
    )  # fmt: skip
    if bound is not None:
        ax.axvline(bound, color=GREY, linestyle=":", linewidth=1.0, label="Moore bound")
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set_xlabel("Average shortest path length of the graph")
    ax.set_ylabel("Test accuracy (%)")
    ax.set_title("\n".join(filter(None, [title, sentence(correlation)])), loc="left")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def sentence(correlation: Correlation) -> str:
    """One line: Spearman's ρ, its interval and p-value, and the numbers of graphs and runs."""
    c = correlation
    p_value = f"{c.p_value:.2g}" if c.p_value < 0.1 else f"{c.p_value:.2f}"
    result = f"Spearman's ρ = {c.rho:.2f} [{c.low:.2f}, {c.high:.2f}], p = {p_value}"
    return f"{result}; {c.graphs} graphs, {c.runs} runs".replace("-", "−")
