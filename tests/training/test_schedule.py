"""The learning rate against torch's own schedulers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from plain_schedules import rates
from torch.optim import lr_scheduler

from graphprune.training.settings import Settings

STEPS = 3


def scheduled(make: Callable[[torch.optim.Optimizer], Any], steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.4)
    scheduler = make(optimizer)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def rising(optimizer: torch.optim.Optimizer, steps: int) -> Any:
    return lr_scheduler.LinearLR(optimizer, 1 / steps, 1.0, steps - 1)


@pytest.mark.parametrize("epochs", [1, 2, 4 / 3])
def test_a_cosine_after_a_warmup(epochs: float) -> None:
    steps = round(STEPS * epochs)

    def make(optimizer: torch.optim.Optimizer) -> Any:
        falling = lr_scheduler.CosineAnnealingLR(optimizer, 10 * STEPS - steps)
        return lr_scheduler.SequentialLR(optimizer, [rising(optimizer, steps), falling], [steps])

    settings = Settings(10, learning_rate=0.4, warmup=epochs)
    assert rates(settings, STEPS) == pytest.approx(scheduled(make, 10 * STEPS), abs=1e-9)


def test_milestones_are_shares_of_the_whole_training() -> None:
    def make(optimizer: torch.optim.Optimizer) -> Any:
        falling = lr_scheduler.MultiStepLR(optimizer, [3 * STEPS, 7 * STEPS], gamma=0.3)
        return lr_scheduler.ChainedScheduler([falling, rising(optimizer, 2 * STEPS)])

    settings = Settings(10, learning_rate=0.4, schedule="multistep", milestones=[0.3, 0.7],
                        gamma=0.3, warmup=2)  # fmt: skip
    assert rates(settings, STEPS) == pytest.approx(scheduled(make, 10 * STEPS), rel=1e-9)


def test_by_default_multistep_is_step() -> None:
    assert rates(Settings(8, schedule="multistep"), STEPS) == pytest.approx(
        rates(Settings(8, schedule="step"), STEPS), rel=1e-12
    )
