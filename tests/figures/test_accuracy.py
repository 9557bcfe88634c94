"""Accuracy against compression."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from figure_examples import FAMILIES, KEPT, METHODS, line, units

from graphprune import figures


def test_accuracy_is_drawn_at_the_compression_achieved() -> None:
    table = units()
    before, after = FAMILIES["accuracy"]().axes
    for ax, column in ((before, "accuracy_pruned"), (after, "accuracy_finetuned")):
        assert ax.get_xscale() == "log"
        for method in METHODS:
            drawn = line(ax, method)
            mine = table[table["method"] == method].groupby("compression")
            np.testing.assert_allclose(
                drawn.get_xdata(), [1000 / KEPT[method][2], 1000 / KEPT[method][4]]
            )
            np.testing.assert_allclose(drawn.get_ydata(), 100 * mine[column].mean())
        dense = next(found for found in ax.lines if found.get_label() == "Dense")
        np.testing.assert_allclose(dense.get_ydata(), 96.0)
    assert line(before, "rgp").get_xdata()[0] == pytest.approx(1.5625)
    assert list(before.get_xticks()) == [2, 4]


def test_a_panel_for_each_network() -> None:
    table = units(networks=(("digits", "mlp"), ("mnist5k", "lenet5")))
    figure = figures.accuracy_against_compression(table, "finetuned")
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["digits · mlp, after fine-tuning", "mnist5k · lenet5, after fine-tuning"]


def test_one_seed_has_a_line_and_no_band() -> None:
    figure = figures.accuracy_against_compression(units(seeds=1), "pruned")
    (ax,) = figure.axes
    assert len(line(ax, "rgp").get_xdata()) == 2
    (rgp,) = (c for c in ax.collections if c.get_paths()[0].vertices[0, 0] == 1.5625)
    corners = pd.DataFrame(rgp.get_paths()[0].vertices, columns=["x", "y"])
    np.testing.assert_allclose(corners.groupby("x")["y"].agg(np.ptp), 0.0, atol=1e-9)
