"""The figure of accuracy against average path length."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from graphprune import figures
from graphprune.figures.path_length import sentence
from graphprune.regular_graphs import Correlation

FOUND = Correlation(rho=-0.61, low=-0.9, high=-0.1, p_value=0.012, graphs=3, runs=6)


def runs():
    return pd.DataFrame(
        {
            "graph": [0, 0, 1, 1, 2, 2],
            "aspl": [2.0, 2.0, 4.0, 4.0, 9.0, 9.0],
            "accuracy": [0.90, 0.92, 0.80, 0.84, 0.85, 0.85],
        }
    )


def test_figure_shows_every_run_and_the_means():
    figure = figures.accuracy_against_aspl(runs(), FOUND, "digits", bound=1.8)
    (ax,) = figure.axes
    lines = {line.get_gid(): line for line in ax.get_lines()}
    np.testing.assert_allclose(lines["runs"].get_xydata()[:, 1], 100 * runs().accuracy)
    (container,) = ax.containers
    means, _, (bars,) = container
    np.testing.assert_allclose(means.get_xydata(), [(2, 91), (4, 82), (9, 85)])
    half = 12.706 * np.sqrt(2) / np.sqrt(2)  # t(0.975, 1) times s / sqrt(2) of 90 and 92
    low, high = bars.get_segments()[0][:, 1]
    assert (high - low) / 2 == pytest.approx(half, rel=1e-3)
    assert sentence(FOUND) in ax.get_title(loc="left")


def test_sentence_says_all_there_is():
    expected = "Spearman's ρ = −0.61 [−0.90, −0.10], p = 0.012; 3 graphs, 6 runs"
    assert sentence(FOUND) == expected
