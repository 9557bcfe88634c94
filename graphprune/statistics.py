"""Mean and spread over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def interval(values: ArrayLike) -> tuple[float, float]:
    """Mean of ``values`` and half the width of its 95 % confidence interval (Student's t).

    mean ± t(0.975, n−1)·s/√n, s the sample standard deviation; NaN values are left out. The half
    width is NaN for fewer than two values: one run says nothing about the spread.

    >>> interval([0.0, 1.0, 2.0])
    (1.0, 2.484...)
    """
    from scipy.special import stdtrit

    numbers = np.asarray(values, dtype=np.float64)
    numbers = numbers[~np.isnan(numbers)]
    n = numbers.size
    if n == 0:
        return float("nan"), float("nan")
    if n == 1:
        return float(numbers[0]), float("nan")
    error = numbers.std(ddof=1) / np.sqrt(n)
    return float(numbers.mean()), float(stdtrit(n - 1, 0.975) * error)
