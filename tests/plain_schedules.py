"""The learning rate of every step of a training."""

from __future__ import annotations

from graphprune.training.schedule import learning_rate
from graphprune.training.settings import Settings


def rates(settings: Settings, steps: int) -> list[float]:
    """Of each step in turn. steps: those of an epoch."""
    return [
        learning_rate(settings, epoch, step / steps, 1 / steps)
        for epoch in range(settings.epochs)
        for step in range(steps)
    ]
