"""Recipes: each setting counts for what it decides, each path has that of its artifact."""

import copy
from pathlib import Path

import pytest

from graphprune.configuration.complete import complete
from graphprune.layout import MethodPaths, NetworkPaths, UnitPaths
from graphprune.provenance import receipts, recipes
from graphprune.provenance.recipes import Recipes

CONFIG = {
    "results": "out",
    "networks": [{"dataset": "digits", "model": "mlp"}, {"dataset": "mnist5k", "model": "lenet5"}],
    "seeds": [0, 1],
    "compressions": [2, 8],
    "regimes": ["finetune", "scratch"],
    "methods": {"magnitude": {}, "curvature": {}, "probmask": {"epochs": 1}, "rgp": {}},
}


def everything(config):
    """Path -> digest, of every artifact of the configuration."""
    recipes = Recipes(complete(config))
    full = recipes.config
    paths = [f"out/data/{one['dataset']}.safetensors" for one in full["networks"]]
    for one in full["networks"]:
        for seed in full["seeds"]:
            names = ("out", one["dataset"], one["name"], seed)
            network = NetworkPaths(*names)
            paths += [network.initial, network.checkpoint, network.activations]
            paths += [network.initial_activations]
            for label, entry in full["methods"].items():
                for regime in entry["regimes"]:
                    for ratio in full["compressions"]:
                        unit = UnitPaths(*names, regime, label, ratio)
                        learned = entry["method"] in ("probmask", "rgp")
                        method = MethodPaths(*names, regime, label)
                        paths += [unit.mask, unit.finetuned, unit.metrics]
                        paths += [unit.scores, unit.scores_report] if learned else []
                        paths += [] if learned else [method.ranking, method.ranking_report]
    found = {path: recipes.of(path) for path in dict.fromkeys(paths)}
    assert all(found.values()), [path for path, recipe in found.items() if recipe is None]
    assert all(
        recipe.path.rpartition(".")[0] == path.rpartition(".")[0] for path, recipe in found.items()
    )
    return {path: recipe.digest for path, recipe in found.items()}


def changed(**changes):
    """The paths of both configurations whose recipes differ after ``changes`` of the top keys."""
    config = copy.deepcopy(CONFIG)
    config.update(changes)
    before, after = everything(CONFIG), everything(config)
    return {path for path in before.keys() & after.keys() if before[path] != after[path]}


def test_artifacts_have_different_recipes():
    found = everything(CONFIG)
    by_digest = {}
    for path, digest in found.items():
        by_digest.setdefault(digest, set()).add(path.rpartition(".")[0])
    # the scores and what was reported of them are made together
    assert all(len(stems) == 1 for stems in by_digest.values())


@pytest.mark.parametrize(
    "changes",
    [
        {"compressions": [8, 2]},
        {"compressions": [2, 4, 8]},
        {"seeds": [1, 0, 5]},
        {"methods": {"random": {}, **CONFIG["methods"]}},
        {"networks": CONFIG["networks"][::-1]},
        {"experiment": "other", "keep_scores": True, "compressions_per_job": 1},
        {"checkpoint_minutes": 0.5, "recipes": {"unused": {"epochs": 3}}},
        {"train": {"epochs": 20, "nesterov": False, "gamma": 0.3, "adversarial": None}},
        {"data": {"folder": "elsewhere", "download": False}, "latency": {"repeats": 3}},
    ],
)
def test_what_is_there_stays_when_something_is_added_moved_or_renamed(changes):
    assert changed(**changes) == set()


def test_a_setting_counts_for_what_it_decides():
    assert all("/curvature/" in path for path in changed(
        methods={**CONFIG["methods"], "curvature": {"alpha": 0.5}}))  # fmt: skip
    fine = changed(finetune={"epochs": 2})
    assert {path.rpartition("/")[2] for path in fine} == {"finetuned.safetensors", "metrics.json"}
    trained = changed(train={"epochs": 3})
    assert "out/digits/mlp/seed0/dense/checkpoint.safetensors" in trained
    assert "out/digits/mlp/seed0/dense/initial.safetensors" not in trained
    assert "out/digits/mlp/seed0/scratch/magnitude/x2/mask.safetensors" not in trained
    assert "out/digits/mlp/seed0/scratch/magnitude/x2/finetuned.safetensors" in trained
    assert changed(train={"epochs": 20, "label_smoothing": 0.1}) == trained
    own = [{**CONFIG["networks"][0], "train": {"epochs": 3}}, CONFIG["networks"][1]]
    assert all("/digits/" in path for path in changed(networks=own))
    scratch = changed(scratch={"rescale": False})
    assert scratch
    assert all("/scratch/" in path for path in scratch)


def test_a_chained_method_depends_on_the_looser_ratios():
    chained = {**CONFIG["methods"], "probmask": {"epochs": 1, "continued": True}}
    before = everything({**CONFIG, "methods": chained})
    after = everything({**CONFIG, "methods": chained, "compressions": [2, 4, 8]})
    differing = {path for path in before if before[path] != after[path]}
    assert differing
    assert all("/probmask/x8/" in path for path in differing)


def test_parts_count_by_their_code_and_not_by_their_number(monkeypatch):
    scattered = {"calibration": {"parts": 3, "examples_per_class": 1}}
    assert changed(**scattered) == set()
    seen = []
    monkeypatch.setattr(recipes, "digest_of", lambda *names: seen.append(names) or "")
    Recipes(complete(CONFIG)).of("out/digits/mlp/seed0/finetune/curvature/scores.safetensors")
    scripts = {Path(name).name for names in seen for name in names if "scripts" in name}
    assert {"score.py", "score_part.py", "gather.py"} <= scripts


def test_a_job_that_names_a_model_counts_its_code(monkeypatch):
    facts = receipts.JobFacts(
        "rgp_aspl_train.py", {"model": "mlp"}, [], ["out/rgp_aspl/runs/0.csv"]
    )
    found = Recipes(complete(CONFIG))
    before = facts.digest(found)
    monkeypatch.setattr(recipes, "digest_of", lambda *names: "other" if "mlp" in names[0] else "")
    assert facts.digest(found) != before
    other = receipts.JobFacts(
        "rgp_aspl_train.py", {"model": "mlp5"}, [], ["out/rgp_aspl/runs/0.csv"]
    )
    assert other.digest(found) != facts.digest(found)


@pytest.mark.parametrize(
    "path",
    [
        "out/figures/cost.png",
        "elsewhere/data/digits.safetensors",
        "out/data/svhn.safetensors",
        "out/digits/mlp/seed7/dense/checkpoint.safetensors",
        "out/digits/mlp/seedx/dense/checkpoint.safetensors",
        "out/digits/mlp/seed0/finetune/snip/x2/mask.safetensors",
        "out/digits/mlp/seed0/finetune/magnitude/x3/mask.safetensors",
        "out/digits/mlp/seed0/finetune/magnitude/x2/history.csv",
        "out/digits/mlp/seed0/latency.csv",
        "out",
    ],
)
def test_other_files_have_none(path):
    assert Recipes(complete(CONFIG)).of(path) is None
