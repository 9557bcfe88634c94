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


def test_single_precision_is_added_up_in_double() -> None:
    values = np.random.default_rng(0).normal(0.9, 0.01, size=50).astype(np.float32)
    mean, half = interval(values)
    exact = values.astype(np.float64)
    assert mean == pytest.approx(exact.mean(), rel=1e-12)
    low, high = stats.t.interval(0.95, 49, exact.mean(), stats.sem(exact))
    assert half == pytest.approx((high - low) / 2, rel=1e-9)


def test_values_that_are_missing_are_left_out() -> None:
    assert interval([1.0, float("nan"), 3.0, float("nan")]) == interval([1.0, 3.0])
    for nothing in ([], [float("nan")] * 2):
        assert np.isnan(interval(nothing)).tolist() == [True, True]


def test_interval_of_one_run_is_undefined() -> None:
    mean, half = interval([0.5, float("nan")])
    assert mean == 0.5
    assert np.isnan(half)
