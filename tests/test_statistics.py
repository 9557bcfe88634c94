"""Confidence intervals against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from graphprune.statistics import interval


@pytest.mark.parametrize("n", [2, 3, 10])
def test_interval_agrees_with_scipy(n: int) -> None:
    values = np.random.default_rng(n).normal(size=n)
    mean, half = interval(values)
    low, high = stats.t.interval(0.95, n - 1, values.mean(), stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high))


def test_interval_of_one_run_is_undefined() -> None:
    mean, half = interval([0.5, float("nan")])
    assert mean == 0.5
    assert np.isnan(half)
