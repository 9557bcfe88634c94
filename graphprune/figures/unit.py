"""One unit's figure: its fine-tuning curve and the densities of its layers.

It is drawn for every unit, so nothing here imports seaborn, which takes long.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from graphprune.errors import UserError
from graphprune.figures.style import BLUE, DARK, GREY, VERMILLION, looks, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def unit_figure(
    history: pd.DataFrame,
    densities: Mapping[str, float],
    method: str,
    title: str = "",
    accuracy_dense: float | None = None,
    accuracy_pruned: float | None = None,
    accuracy_finetuned: float | None = None,
) -> Figure:
    """Fine-tuning curve (accuracy and loss by epoch) beside the share of weights kept by layer.

    history: columns epoch, loss, accuracy_train, accuracy_validation (in [0, 1]; the last two may
    be missing); may have no rows (no fine-tuning). densities: kept share in [0, 1] by layer, from
    input to output. method: gives the bars their colour. The three test accuracies, in [0, 1],
    are written into the heading.
    """
    if not densities:
        raise UserError("unit figure: needs the density of at least one layer")
    figure = new_figure(7.0, 2.9)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    _history(left, history)
    look = looks([method])[method]
    names, shares = list(densities), 100 * np.array(list(densities.values()), dtype=np.float64)
    rows = np.arange(len(names))
    right.barh(rows, shares, color=look.colour, height=0.7)
    if len(names) <= 12:
        for row, share in zip(rows, shares, strict=True):
            right.annotate(
                f"{share:.3g}", (share, row), xytext=(3, 0), textcoords="offset points",
                va="center", fontsize=8,
            )  # fmt: skip
    every = -(-len(names) // 16)
    right.set_yticks(rows[::every], names[::every])
    right.set_ylim(len(names) - 0.4, -0.6)
    right.set_xlim(0, 1.15 * max(float(shares.max()), 1e-3))
    right.set_xlabel("Weights kept (%)")
    right.grid(axis="y", visible=False)
    numbers = {"dense": accuracy_dense, "pruned": accuracy_pruned, "fine-tuned": accuracy_finetuned}
    facts = [f"{name} {100 * x:.1f} %" for name, x in numbers.items() if x is not None]
    lines = [title] if title else []
    lines += ["Test accuracy: " + ", ".join(facts)] if facts else []
    figure.suptitle("\n".join(lines))
    return figure


def _history(ax: Axes, history: pd.DataFrame) -> None:
    ax.set_xlabel("Epoch")
    ax.set_ylabel("Accuracy (%)")
    if history.empty:
        ax.text(0.5, 0.5, "no fine-tuning", transform=ax.transAxes, ha="center", va="center")
        ax.set(xticks=[], yticks=[])
        return
    for column, colour, style, label in (
        ("accuracy_train", GREY, "--", "training"),
        ("accuracy_validation", BLUE, "-", "validation"),
    ):
        if column in history.columns and history[column].notna().any():
            ax.plot(history["epoch"], 100 * history[column], style, color=colour, label=label)
    loss = ax.twinx()
    loss.plot(history["epoch"], history["loss"], ":", color=VERMILLION, label="loss")
    loss.set_ylabel("Training loss", color=VERMILLION)
    loss.tick_params(axis="y", colors=VERMILLION)
    loss.set_ylim(bottom=0)
    loss.grid(False)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    handles, labels = ax.get_legend_handles_labels()
    more, texts = loss.get_legend_handles_labels()
    ax.legend(
        handles + more, labels + texts, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3,
        labelcolor=DARK,
    )  # fmt: skip
