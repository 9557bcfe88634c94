"""Settings: what they refuse together, and what of them decides a training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from graphprune.configuration.complete import complete
from graphprune.errors import UserError
from graphprune.training.settings import Adversarial, Settings, decisive

ATTACK = {"epsilon": 0.1, "step": 0.05, "steps": 2}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"milestones": [0.5, 0.25]}, "milestones is [0.5, 0.25]; allowed: each larger than the "),
        ({"milestones": [0.5, 0.5]}, "milestones is [0.5, 0.5]; allowed: each larger than the one"),
        ({"milestones": [1.0]}, "milestones[0] is 1.0; allowed: < 1"),
        ({"nesterov": True, "momentum": 0.0}, "nesterov is true, but optimizer is sgd and momentum"
         " 0; allowed: sgd with momentum > 0"),
        ({"nesterov": True, "optimizer": "adam"}, "nesterov is true, but optimizer is adam"),
        ({"warmup": 5.5}, "warmup is 5.5; allowed: at most epochs = 5"),
        ({"clip_norm": 0.0}, "clip_norm is 0.0; allowed: > 0"),
        ({"ema": 1.0}, "ema is 1.0; allowed: < 1"),
        ({"precision": "float64"}, "precision is 'float64'; allowed: bfloat16, float16, float32"),
        ({"adversarial": {**ATTACK, "epsilon": 8}}, "adversarial.epsilon is 8; allowed: <= 1"),
        ({"adversarial": {"epsilon": 0.1}}, "key adversarial.step is missing"),
    ],
)  # fmt: skip
def test_refused_in_one_line(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        Settings.of({"epochs": 5, **given}, seed=0)
    assert str(caught.value).startswith(sentence)


def test_an_attack_may_be_given_as_a_section() -> None:
    settings = Settings(3, adversarial=ATTACK)  # type: ignore[arg-type]
    assert settings == Settings(3, adversarial=Adversarial(**ATTACK))
    assert replace(settings, epochs=4).adversarial == Adversarial(**ATTACK)
    section = settings.section()
    assert section["adversarial"] == ATTACK
    assert Settings(**section) == settings


def test_a_short_rest_of_a_training_may_end_in_its_warmup() -> None:
    settings = Settings.of({"epochs": 5, "warmup": 4}, seed=0)
    assert replace(settings, epochs=2).warmup == 4


FIRST = {"epochs": 5, "batch_size": 64, "optimizer": "sgd", "learning_rate": 0.05,
         "momentum": 0.9, "weight_decay": 0.0, "schedule": "cosine"}  # fmt: skip


def test_what_is_off_decides_nothing() -> None:
    full = complete({"networks": [{"dataset": "digits", "model": "mlp"}], "seeds": [0],
                     "compressions": [2], "methods": {"random": {}}})  # fmt: skip
    assert decisive(full["finetune"]) == FIRST
    assert decisive(Settings(5).section()) == {**FIRST}


@pytest.mark.parametrize(
    "key",
    [
        {"warmup": 1.0}, {"nesterov": True}, {"label_smoothing": 0.1}, {"clip_norm": 1.0},
        {"decay_norms_and_biases": False}, {"ema": 0.9}, {"precision": "float16"},
        {"channels_last": True}, {"compile": True}, {"accumulate": 2}, {"adversarial": ATTACK},
        {"augmentation": "crop_flip"},
    ],
    ids=lambda key: next(iter(key)),
)  # fmt: skip
def test_what_is_on_decides(key: dict[str, Any]) -> None:
    section = Settings(5, **key).section()
    assert decisive(section) == {**FIRST, **key}


def test_milestones_decide_only_their_own_schedule() -> None:
    given: dict[str, Any] = {"milestones": [0.3], "gamma": 0.5}
    assert decisive(Settings(5, **given).section()) == FIRST
    several = {**FIRST, "schedule": "multistep"}
    found = decisive(Settings(5, schedule="multistep").section())
    assert found == {**several, "milestones": [0.5, 0.75], "gamma": 0.1}
    assert decisive(Settings(5, schedule="multistep", **given).section()) == {**several, **given}
