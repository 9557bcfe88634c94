"""The two regimes, prune a trained network or train a pruned one, and their budgets of epochs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

from graphprune.errors import UserError, one_of

if TYPE_CHECKING:
    from graphprune.training.settings import Settings

Regime = Literal["finetune", "scratch"]
FINETUNE: Regime = "finetune"  # the method sees the trained network, which is then fine-tuned
SCRATCH: Regime = "scratch"  # the method sees the untrained network, which is then trained
REGIMES: tuple[Regime, ...] = get_args(Regime)


def after_pruning(
    regime: str, train: Settings, finetune: Settings, epochs_trained: int = 0
) -> Settings:
    """The settings of the training that follows pruning.

    "finetune": those of fine-tuning. "scratch": the epochs are those that the other regime spends
    in all, ``train.epochs + finetune.epochs``, minus those that the method trained by itself. The
    other settings are those of training if the network is untrained, and those of fine-tuning if
    the method has trained it (ProbMask).

    epochs_trained: epochs of the method's own training.

    Raises UserError for another regime, and if the method trained for more epochs than the budget.

    >>> after_pruning("scratch", Settings(epochs=20), Settings(epochs=5)).epochs
    25
    """
    epochs = epochs_after(regime, train.epochs, finetune.epochs, epochs_trained)
    if regime == FINETUNE:
        return finetune
    settings = finetune if epochs_trained else train
    return replace(settings, epochs=epochs)


def epochs_after(
    regime: str, train_epochs: int, finetune_epochs: int, epochs_trained: int = 0
) -> int:
    """Epochs of the training that follows pruning; parameters and errors as for `after_pruning`."""
    if regime == FINETUNE:
        return finetune_epochs
    if regime != SCRATCH:
        raise one_of("regime", regime, REGIMES)
    budget = train_epochs + finetune_epochs
    if epochs_trained > budget:
        raise UserError(
            f"the method trained for {epochs_trained} epochs; allowed in regime scratch: at most "
            f"train.epochs + finetune.epochs = {budget}"
        )
    return budget - epochs_trained


def epochs_in_all(regime: str, train_epochs: int, epochs_trained: int, epochs_after: int) -> int:
    """Epochs spent on a unit: before the method (if it saw a trained network), by it, after it."""
    before = train_epochs if regime == FINETUNE else 0
    return before + epochs_trained + epochs_after
