"""What the two regimes may spend."""

import pytest

from graphprune.errors import UserError
from graphprune.training.regimes import REGIMES, after_pruning, epochs_in_all
from graphprune.training.settings import Settings

TRAIN = Settings(epochs=20, learning_rate=0.1)
FINETUNE = Settings(epochs=5, learning_rate=0.02)


def test_fine_tuning_is_the_same_whatever_a_method_did():
    assert after_pruning("finetune", TRAIN, FINETUNE) is FINETUNE
    assert after_pruning("finetune", TRAIN, FINETUNE, epochs_trained=10) is FINETUNE


def test_from_scratch_an_untrained_network_gets_the_whole_budget_as_training():
    assert after_pruning("scratch", TRAIN, FINETUNE) == Settings(epochs=25, learning_rate=0.1)


def test_from_scratch_a_trained_network_gets_the_rest_as_fine_tuning():
    assert after_pruning("scratch", TRAIN, FINETUNE, 18) == Settings(epochs=7, learning_rate=0.02)


@pytest.mark.parametrize("spent", [0, 1, 25])
def test_both_regimes_take_the_same_epochs_in_all(spent):
    totals = set()
    for regime in REGIMES:
        trained = spent if regime == "scratch" else 0
        after = after_pruning(regime, TRAIN, FINETUNE, trained)
        totals.add(epochs_in_all(regime, TRAIN.epochs, trained, after.epochs))
    assert totals == {25}


def test_what_cannot_be_is_refused_in_one_line():
    with pytest.raises(UserError, match=r"26 epochs; .* at most .* = 25$"):
        after_pruning("scratch", TRAIN, FINETUNE, 26)
    with pytest.raises(UserError, match="regime is 'rewind'; allowed: finetune, scratch"):
        after_pruning("rewind", TRAIN, FINETUNE)
