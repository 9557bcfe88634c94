"""Recipes stand in the trainings that name them; a wrong one is named in one line."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from configuration.examples import MINIMAL, attack, refusal

from graphprune.configuration.complete import complete
from graphprune.configuration.plan import training_of

RECIPES: dict[str, Any] = {
    "long": {"epochs": 160, "schedule": "multistep", "milestones": [0.4], "weight_decay": 0.01},
    "attacked": {"learning_rate": 0.3, **attack()},
}


def config(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy({**MINIMAL, "recipes": RECIPES, **changes})


def test_its_keys_stand_in_the_section_and_its_name_does_not() -> None:
    full = complete(config(train={"recipe": "long", "weight_decay": 0.5}))
    spelt = {**RECIPES["long"], "weight_decay": 0.5}
    assert full == complete({**MINIMAL, "train": spelt})
    assert "recipes" not in full
    assert "recipe" not in full["train"]
    assert complete(full) == full


def test_several_trainings_use_one() -> None:
    networks = [
        {"dataset": "digits", "model": "mlp", "train": {"recipe": "long"}},
        {"dataset": "mnist5k", "model": "mlp", "finetune": {"recipe": "long", "epochs": 3}},
    ]
    full = complete(config(networks=networks, train={"recipe": "attacked", "epochs": 7},
                           rgp_aspl={"train": {"recipe": "long", "epochs": 2}}))  # fmt: skip
    assert full["train"]["adversarial"] == attack()["adversarial"]
    first, second = full["networks"]
    own = training_of(full, first, "train")
    # the same training as that of a configuration in which the recipe is the common section
    assert own == complete(config(train={"recipe": "long"}))["train"]
    assert own["adversarial"] is None
    assert training_of(full, second, "train") == full["train"]
    tuned = training_of(full, second, "finetune")
    assert (tuned["epochs"], tuned["milestones"]) == (3, [0.4])
    experiment = full["rgp_aspl"]["train"]
    assert (experiment["epochs"], experiment["adversarial"]) == (2, None)
    assert experiment["milestones"] == [0.4]


def test_epochs_may_come_from_the_common_section() -> None:
    network = {**MINIMAL["networks"][0], "train": {"recipe": "attacked"}}
    full = complete(config(networks=[network], train={"epochs": 9, "momentum": 0.2}))
    own = training_of(full, full["networks"][0], "train")
    assert (own["epochs"], own["momentum"], own["learning_rate"]) == (9, 0.9, 0.3)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"train": {"recipe": "lnog"}}, "train.recipe is 'lnog'; allowed: attacked, long"),
        ({"train": {"recipe": 3}}, "train.recipe is 3; allowed: attacked, long"),
        (
            {"networks": [{**MINIMAL["networks"][0], "finetune": {"recipe": "x"}}]},
            "networks[0].finetune.recipe is 'x'; allowed: attacked, long",
        ),
        ({"rgp_aspl": {"train": {"recipe": "x"}}}, "rgp_aspl.train.recipe is 'x'; allowed: att"),
        ({"train": {"recipe": "attacked"}}, "key train.epochs is missing"),
        ({"recipes": {"a": {"epochs": -1}}}, "recipes.a.epochs is -1; allowed: >= 0"),
        ({"recipes": {"a": {"lr": 1}}}, "recipes.a.lr is 1; allowed keys here: accumulate"),
        ({"recipes": {"a": {"recipe": "a"}}}, "recipes.a.recipe is 'a'; allowed keys here: acc"),
        ({"recipes": {"a": 1}}, "recipes.a is 1; allowed: a value of type object"),
        ({"recipes": ["a"]}, "recipes is ['a']; allowed: a value of type object"),
        ({"recipes": {"A b": {}}}, "recipes"),
        ({"train": {"epochs": 3, "warmup": 4}}, "train: warmup is 4; allowed: at most epochs = 3"),
        (
            {"networks": [{**MINIMAL["networks"][0], "train": {"optimizer": "adam"}}],
             "train": {"epochs": 3, "nesterov": True}},
            "networks[0].train: nesterov is true, but optimizer is adam",
        ),
    ],
)  # fmt: skip
def test_refused_in_one_line(changes: dict[str, Any], sentence: str) -> None:
    assert refusal(config(**changes)).startswith(f"config: {sentence}")
