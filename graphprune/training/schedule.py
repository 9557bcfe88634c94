"""The learning rate of every step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphprune.training.settings import Settings


def learning_rate(settings: Settings, epoch: int, part: float, step: float = 0.0) -> float:
    """The learning rate after ``epoch`` whole epochs and a share ``part`` of the next.

    step: the share of an epoch that a step is. In a warm-up of W epochs the rate after t of them
    is ``learning_rate · (t + step) / W``: it rises by the same in each step, and its last step has
    the whole rate. The cosine falls over what is left of the training; milestones are shares of
    all of it.
    """
    passed = epoch + part
    if passed < settings.warmup:
        return settings.learning_rate * min(1.0, (passed + step) / settings.warmup)
    done = passed / settings.epochs
    if settings.schedule == "cosine":
        if settings.warmup:
            done = (passed - settings.warmup) / (settings.epochs - settings.warmup)
        return settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))
    if settings.schedule == "step":
        return settings.learning_rate * 0.1 ** ((done >= 0.5) + (done >= 0.75))
    if settings.schedule == "multistep":
        reached = sum(done >= milestone for milestone in settings.milestones)
        return settings.learning_rate * settings.gamma**reached
    return settings.learning_rate
