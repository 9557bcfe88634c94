"""Prune a trained network, or train a pruned one; and what either may spend."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphprune.errors import UserError, one_of

if TYPE_CHECKING:
    from graphprune.training import Settings

FINETUNE = "finetune"  # the method sees the trained network, which is then fine-tuned
SCRATCH = "scratch"  # the method sees the untrained network, which is then trained
REGIMES = (FINETUNE, SCRATCH)


def after_pruning(
    regime: str, train: Settings, finetune: Settings, epochs_trained: int = 0
) -> Settings:
    """The training of a network whose masks are known.

    "finetune": the settings of fine-tuning. "scratch": as many epochs as the other regime spends
    in all, ``train.epochs + finetune.epochs``, less what the method trained by itself. A network
    that has never been trained gets them with the settings of training, one that the method
    trained (ProbMask) with those of fine-tuning.

    epochs_trained: epochs of the method's own training.

    Raises UserError for another regime, and where the method has spent more than there was.

    >>> after_pruning("scratch", Settings(epochs=20), Settings(epochs=5)).epochs
    25
    """
    if regime == FINETUNE:
        return finetune
    if regime != SCRATCH:
        raise one_of("regime", regime, REGIMES)
    budget = train.epochs + finetune.epochs
    if epochs_trained > budget:
        raise UserError(
            f"the method trained for {epochs_trained} epochs; allowed in regime scratch: at most "
            f"train.epochs + finetune.epochs = {budget}"
        )
    settings = finetune if epochs_trained else train
    return replace(settings, epochs=budget - epochs_trained)


def epochs_in_all(regime: str, train_epochs: int, epochs_trained: int, epochs_after: int) -> int:
    """Epochs spent on a unit: before the method (if it saw a trained network), by it, after it."""
    before = train_epochs if regime == FINETUNE else 0
    return before + epochs_trained + epochs_after
