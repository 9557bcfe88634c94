"""Graphs across the range of path lengths, and the correlation with accuracy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from graphprune.errors import UserError
from graphprune.regular_graphs import aspl, aspl_accuracy_correlation, graphs_across_aspl
from graphprune.regular_graphs.experiment import spearman


def test_graphs_across_the_range():
    lengths = [aspl(g) for g in graphs_across_aspl(24, 4, 5, 0, 3000, "numpy")]
    assert lengths == sorted(lengths)
    steps = np.diff(np.log(lengths))
    assert steps.min() > 0.5 * steps.max()


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=20))
@settings(max_examples=30, deadline=None)
def test_spearman_equals_scipy(points):
    x, y = np.array(points, dtype=float).T
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert np.isnan(spearman(x, y))
    else:
        assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def test_correlation_of_aspl_and_accuracy():
    generator = np.random.default_rng(0)
    graph = np.repeat(np.arange(9), 4)
    table = {
        "graph": graph,
        "aspl": 2.8 + 0.3 * graph,
        "accuracy": 0.95 - 0.02 * graph + 0.005 * generator.standard_normal(len(graph)),
    }
    found = aspl_accuracy_correlation(table, resamples=2000)
    means = table["accuracy"].reshape(9, 4).mean(1)
    assert found.rho == pytest.approx(stats.spearmanr(np.arange(9), means).statistic)
    assert -1.0 <= found.low < found.high < -0.5
    assert found.p_value < 0.01
    assert (found.graphs, found.runs) == (9, 36)
    table["accuracy"] = generator.random(len(graph))
    assert aspl_accuracy_correlation(table, resamples=2000).p_value > 0.05


def test_correlation_refuses_bad_tables():
    with pytest.raises(UserError, match="no column 'aspl'"):
        aspl_accuracy_correlation({"graph": [1], "accuracy": [1.0]})
    with pytest.raises(UserError, match="several values"):
        aspl_accuracy_correlation({"graph": [1, 1], "aspl": [2.0, 3.0], "accuracy": [0.1, 0.2]})
    with pytest.raises(UserError, match="at least 3"):
        aspl_accuracy_correlation({"graph": [1, 2], "aspl": [2.0, 3.0], "accuracy": [0.1, 0.2]})
    with pytest.raises(UserError, match="NaN"):
        aspl_accuracy_correlation({"graph": [1], "aspl": [np.nan], "accuracy": [0.1]})
