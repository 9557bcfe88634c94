"""Generated configurations: what is accepted can be planned, the rest is refused in one line."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

from configuration import test_hostile as hostile
from configuration.test_hostile import MUTATIONS, VALID, mutate
from fuzz.amounts import amount, tried
from fuzz.configurations import configurations
from hypothesis import given

from graphprune.layout import MethodPaths, NetworkPaths, UnitPaths
from graphprune.methods.catalog import method_class
from graphprune.provenance.recipes import Recipes

FEW, MANY = 60, 5_000


def recipes_of(config: dict[str, Any]) -> None:
    """Plan what makes every kind of file of a complete configuration."""
    recipes, digests = Recipes(config), {}
    for network in config["networks"]:
        names = (config["results"], network["dataset"], network["name"])
        for seed in config["seeds"][:2]:
            for path in artifacts(NetworkPaths(*names, seed), config):
                recipe = recipes.of(path)
                assert recipe is not None, path
                assert recipe.name
                digests[path] = recipe.digest
            assert recipes.of(f"{config['results']}/figures/cost.png") is None
            assert recipes.of(NetworkPaths(*names, seed + 10**10).checkpoint) is None
    # scores and what is reported of them are made together, all else apart
    stems = {path.rpartition(".")[0] for path in digests}
    assert len(set(digests.values())) == len(stems)


def artifacts(network: NetworkPaths, config: dict[str, Any]) -> list[str]:
    """The paths of one network of one seed that say themselves what made them."""
    paths = [network.initial, network.checkpoint, network.activations, network.initial_activations]
    names = (network.results, network.dataset_name, network.network, network.seed)
    for label, entry in config["methods"].items():
        learned = method_class(entry["method"]).per_sparsity
        for regime in entry["regimes"]:
            method = MethodPaths(*names, regime, label)
            paths += [] if learned else [method.ranking, method.ranking_report, method.part(0)]
            for ratio in config["compressions"][:3]:
                unit = UnitPaths(*names, regime, label, ratio)
                paths += [unit.mask, unit.finetuned, unit.metrics]
                paths += [unit.scores, unit.scores_report] if learned else []
                # what a job is given as text comes back as the same unit
                assert UnitPaths.of(network.results, unit.history) == unit
    return paths


def judge(config: Any) -> bool:
    """Whether the configuration is accepted; it is planned then, with its recipes."""
    full = hostile.judge(config)
    if full is not None:
        recipes_of(full)
    return full is not None


def test_generated_configurations() -> None:
    verdicts: Counter[bool] = Counter()

    @tried(FEW, MANY)
    @given(configurations())
    def check(config: dict[str, Any]) -> None:
        verdicts[judge(config)] += 1

    check()
    print(f"accepted {verdicts[True]}, refused {verdicts[False]}")
    # neither is rare, or little would be tried
    assert min(verdicts[True], verdicts[False]) > 0.15 * sum(verdicts.values())


def test_mutated_configurations() -> None:
    verdicts: Counter[bool] = Counter()

    @tried(FEW, MANY)
    @given(MUTATIONS)
    def check(mutations: list[tuple[Any, ...]]) -> None:
        config = copy.deepcopy(VALID)
        for mutation in mutations:
            mutate(config, *mutation)
        verdicts[judge(config)] += 1

    check()
    print(f"accepted {verdicts[True]}, refused {verdicts[False]}")
    assert sum(verdicts.values()) >= amount(FEW, MANY)
