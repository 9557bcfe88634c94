"""What a configuration plans, at the very edges of what is allowed, and every sentence in full."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from configuration.examples import MINIMAL, refusal

from graphprune.configuration.complete import complete
from graphprune.configuration.plan import training_of

DIGITS = {"dataset": "digits", "model": "mlp"}
WEIGHTS = 64 * 128 + 128 * 64 + 64 * 10


def said(**changes: Any) -> str:
    """What is said of the smallest configuration with these keys, without "config: "."""
    return refusal({**MINIMAL, **changes}).removeprefix("config: ")


def accepted(**changes: Any) -> dict[str, Any]:
    return complete({**MINIMAL, **changes})


def test_as_many_units_as_are_allowed() -> None:
    ratios = [1 + place / 2**20 for place in range(1000)]
    keys: dict[str, Any] = {
        "seeds": [0, 1, 2, 3, 4],
        "networks": [DIGITS, {**DIGITS, "name": "again"}],
        "methods": {"random": {"regimes": ["finetune", "scratch"]}},
        "compressions_per_job": 1000,
    }
    assert len(accepted(compressions=ratios, **keys)["compressions"]) == 1000
    assert said(compressions=[*ratios, 2], **keys) == (
        "2 networks x 5 seeds x 2 methods in their regimes x 1001 compressions are 20020 units; "
        "allowed: at most 20000 in one run"
    )


def test_as_many_jobs_as_are_allowed() -> None:
    # a network and seed: 4 jobs, and for a method 1 and 3 a batch of two ratios: 4 + 1 + 3 * 5
    keys: dict[str, Any] = {
        "compressions": [2, 3, 4, 5, 6, 7, 8, 9, 10],
        "compressions_per_job": 2,
        "networks": [DIGITS, {**DIGITS, "name": "again"}],
    }
    assert len(accepted(seeds=list(range(375)), **keys)["seeds"]) == 375
    assert said(seeds=list(range(376)), **keys) == (
        "2 networks x 376 seeds x 1 methods in their regimes are about 15040 jobs; allowed: at "
        "most 15000 in one run; take fewer seeds, or a larger compressions_per_job"
    )
    both = {"random": {"regimes": ["finetune", "scratch"]}}
    keys["compressions"] = [2, 3]
    # 4 + 2 * (1 + 3)
    assert len(accepted(seeds=list(range(625)), methods=both, **keys)["seeds"]) == 625
    assert "x 626 seeds x 2 methods in their regimes are about 15024 jobs" in said(
        seeds=list(range(626)), methods=both, **keys
    )


def test_as_many_jobs_of_parts_as_are_allowed() -> None:
    keys: dict[str, Any] = {
        "methods": {"curvature": {"regimes": ["finetune", "scratch"]}},
        "calibration": {"parts": 20, "examples_per_class": 2},
    }
    assert len(accepted(seeds=list(range(500)), **keys)["seeds"]) == 500
    assert said(seeds=list(range(501)), **keys) == (
        "calibration.parts is 20, which makes 20040 jobs of methods.curvature; allowed: at most "
        "20000 jobs in one run"
    )
    keys["calibration"]["parts"] = 21
    assert said(**keys) == (
        "calibration.parts is 21; allowed: at most one for each of the 20 examples of digits"
    )


def test_the_largest_ratio_leaves_one_weight() -> None:
    networks = [{"dataset": "mnist5k", "model": "mlp", "name": "large"}, DIGITS]
    accepted(networks=networks, compressions=[2, WEIGHTS])
    assert said(networks=networks, compressions=[2, 2 * WEIGHTS]) == (
        f"compressions[1] is {2 * WEIGHTS}, which leaves none of the {WEIGHTS} weights of "
        f"digits/mlp; allowed: at most {WEIGHTS}"
    )


def test_networks_that_do_not_fit_are_named_by_their_place() -> None:
    again = {**DIGITS, "name": "again"}
    assert said(networks=[DIGITS, again, {**again}]) == (
        "networks[2] is digits/again again; each pair is allowed once, and a `name` of its own "
        "makes another"
    )
    wrong = said(networks=[DIGITS, {"dataset": "digits", "model": "lenet5"}])
    assert wrong.startswith("networks[1].model on dataset digits: model lenet5 ")
    options = said(networks=[DIGITS, {**DIGITS, "name": "n", "options": {"width": 1}}])
    assert options.startswith("networks[1].options.width is 1; allowed keys here: ")
    huge = {**DIGITS, "name": "huge", "options": {"hidden": [2**31, 2**31]}}
    assert said(networks=[DIGITS, huge]).startswith("networks[1]")


@pytest.mark.parametrize(
    ("nodes", "degree", "allowed"),
    [(64, 4, True), (5, 4, True), (6, 5, True), (4, 4, False), (7, 5, False), (4, 5, False)],
)
def test_regular_graphs_of_the_experiment(nodes: int, degree: int, allowed: bool) -> None:
    experiment = {"nodes": nodes, "degree": degree}
    if allowed:
        assert accepted(rgp_aspl=experiment)["rgp_aspl"]["degree"] == degree
        return
    assert said(rgp_aspl=experiment) == (
        f"rgp_aspl: {nodes} nodes of degree {degree}; allowed: degree < nodes, and "
        "nodes x degree even"
    )


LEARNED: dict[str, Any] = {
    "compressions": [2, 8, 4],
    "compressions_per_job": 3,
    "regimes": ["scratch"],
    "train": {"epochs": 20},
    "finetune": {"epochs": 5},
}


def test_a_chain_needs_one_job_for_all_ratios() -> None:
    methods = {"mine": {"method": "probmask", "continued": True, "epochs": 8}}
    accepted(**LEARNED, methods=methods)
    assert said(**{**LEARNED, "compressions_per_job": 2}, methods=methods) == (
        "methods.mine.continued is true, but compressions_per_job is 2; allowed: at least 3, for "
        "each ratio starts from the one before it"
    )


def test_the_budget_of_each_network_counts_its_own_epochs() -> None:
    short = {**DIGITS, "name": "short", "train": {"epochs": 6}, "finetune": {"epochs": 2}}
    keys = {**LEARNED, "networks": [DIGITS, short]}
    accepted(**keys, methods={"probmask": {"epochs": 8}})
    assert said(**keys, methods={"mine": {"method": "probmask", "epochs": 9}}) == (
        "methods.mine trains for 9 epochs; allowed in regime scratch: at most "
        "train.epochs + finetune.epochs = 8 of digits/short"
    )
    # before fine-tuning a method may train for as long as it likes
    accepted(**{**keys, "regimes": ["finetune"]}, methods={"probmask": {"epochs": 9}})
    # a method that does not train has no budget
    accepted(**{**keys, "train": {"epochs": 0}}, methods={"random": {}})


def test_a_network_changes_its_own_section_alone() -> None:
    network = {**DIGITS, "train": {"momentum": 0.25}, "finetune": {"epochs": 3}}
    full = accepted(networks=[network], train={"epochs": 7, "momentum": 0.5})
    one = full["networks"][0]
    assert training_of(full, one, "train") == {**full["train"], "momentum": 0.25}
    assert training_of(full, one, "finetune") == {**full["finetune"], "epochs": 3}
    assert full["train"]["momentum"] == 0.5


def test_an_augmentation_by_dataset_is_that_of_the_networks_dataset() -> None:
    config = accepted(
        networks=[DIGITS, {"dataset": "cifar10", "model": "resnet20"},
                  {"dataset": "cifar10", "model": "vgg9", "train": {"augmentation": "crop"}}],
        train={"epochs": 1, "augmentation": "by_dataset"},
    )  # fmt: skip
    of = [training_of(config, network, "train")["augmentation"] for network in config["networks"]]
    assert of == ["none", "crop_flip", "crop"]
    assert training_of(config, config["networks"][1], "finetune")["augmentation"] == "none"


def test_a_network_taken_over_is_not_trained_and_is_fine_tuned_with_its_datasets_crops(
    tmp_path: Path,
) -> None:
    (tmp_path / "own.pt").write_bytes(b"looked at later")
    own = {"dataset": "cifar10", "model": "resnet20", "checkpoint": str(tmp_path / "own.pt")}
    common = {"epochs": 3, "augmentation": "by_dataset"}
    config = accepted(networks=[own], train=common, finetune=common)
    of = [training_of(config, config["networks"][0], part) for part in ("train", "finetune")]
    assert [(part["epochs"], part["augmentation"]) for part in of] == [
        (0, "crop_flip"), (3, "crop_flip"),
    ]  # fmt: skip
