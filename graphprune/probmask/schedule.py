"""What changes along a training: the budget, the temperature and the learning rates.

``done`` is the share of the steps already taken, in [0, 1).
"""

from __future__ import annotations

import math


def keep_rate(done: float, target: float, start: float, end: float, initial: float = 1.0) -> float:
    """The share ρ of the weights that may stay: ``initial``, then a cubic, then ``target``.

    ρ = target + (initial − target)·(1 − (done − start)/(end − start))³ between ``start`` and
    ``end``. Paper: Zhu and Gupta, To prune, or not to prune, arXiv 1710.01878.

    >>> keep_rate(0.5, target=0.1, start=0.0, end=1.0)
    0.2125
    """
    if done < start:
        return initial
    if done >= end:
        return target
    return target + (initial - target) * (1.0 - (done - start) / (end - start)) ** 3


def temperature(done: float, first: float, last: float) -> float:
    """The temperature τ of the relaxation, linear from ``first`` to ``last``."""
    return first + (last - first) * done


def cosine(done: float) -> float:
    """The factor ½(1 + cos(π·done)) on a learning rate."""
    return 0.5 * (1.0 + math.cos(math.pi * done))
