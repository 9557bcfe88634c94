"""Histograms of curvature, and removal curves."""

from __future__ import annotations

import numpy as np
import pytest
from figure_examples import FAMILIES, line, removal
from matplotlib.colors import to_hex

from graphprune import figures
from graphprune.errors import UserError
from graphprune.figures import style


def test_histogram_counts_both_signs_and_leaves_inactive_edges_out() -> None:
    conv, fc, out = FAMILIES["histogram"]().axes
    assert conv.get_title(loc="left") == "conv\n25 % negative, 50 % inactive"
    assert fc.get_title(loc="left") == "fc\n50 % negative, 25 % inactive"  # κ = 1 is active here
    assert out.get_title(loc="left") == "out\n50 % negative, 50 % inactive"
    for patch in conv.patches:
        x = patch.get_xy()[:, 0]
        negative = to_hex(patch.get_facecolor()).upper() == style.VERMILLION
        occupied = x[patch.get_xy()[:, 1] >= 1]
        assert (occupied <= 1e-9).all() if negative else (occupied >= -1e-9).all()


def test_histogram_refuses_nan() -> None:
    with pytest.raises(UserError, match="NaN"):
        figures.curvature_histogram({"fc": np.array([0.0, np.nan])})


def test_removal_curves_are_means_over_seeds() -> None:
    table = removal()
    table.loc[(table["order"] == "random") & (table["seed"] == 1), "accuracy"] = 0.0
    (ax,) = figures.removal_curves(table).axes
    np.testing.assert_allclose(line(ax, "random").get_ydata(), [45.0, 38.75, 32.5])
    np.testing.assert_allclose(line(ax, "most positive first").get_xdata(), [0, 25, 50])
    colours = {found.get_color() for found in ax.lines}
    assert len(colours) == 4
