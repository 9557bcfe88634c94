"""Recipes: settings of a training that are named once and used by several networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphprune.configuration.keys import Recipe
from graphprune.errors import one_of
from graphprune.options import validated

SECTIONS = ("train", "finetune")


def resolved(config: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` with the keys of recipes in place of their names.

    A section that names a recipe has the recipe's keys, its own before them. Where the section is a
    network's own, what neither says has its default: a recipe is the same training for every
    network, so that nothing of the common section mixes with it.

    What is no section, or has another form, is left as it is: the check of all keys names it.

    Raises
    ------
    UserError : one line that names a key of a recipe, or a name that no recipe has.

    >>> resolved({"recipes": {"short": {"epochs": 2}}, "train": {"recipe": "short", "ema": 0.9}})
    {'recipes': {'short': {'epochs': 2}}, 'train': {'epochs': 2, 'ema': 0.9}}
    """
    recipes = config.get("recipes", {})
    if not isinstance(recipes, Mapping) or not all(map(_is_recipe, recipes.items())):
        return dict(config)
    for name, recipe in recipes.items():
        validated(Recipe, recipe, f"recipes.{name}")

    def common(section: Any, where: str) -> Any:
        return _filled(section, where, recipes, dict)

    def own(section: Any, where: str) -> Any:
        return _filled(section, where, recipes, _completed)

    full = _in_sections(config, SECTIONS, "", common)
    if isinstance(networks := full.get("networks"), list):
        full["networks"] = [
            _in_sections(network, SECTIONS, f"networks[{place}].", own)
            if isinstance(network, Mapping)
            else network
            for place, network in enumerate(networks)
        ]
    if isinstance(experiment := full.get("rgp_aspl"), Mapping):
        full["rgp_aspl"] = _in_sections(experiment, ("train",), "rgp_aspl.", own)
    return full


def _is_recipe(item: tuple[object, object]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Mapping)


def _in_sections(
    part: Mapping[str, Any], names: tuple[str, ...], where: str, change: Callable[[Any, str], Any]
) -> dict[str, Any]:
    changed = {name: change(part[name], f"{where}{name}") for name in names if name in part}
    return {**part, **changed}


def _filled(
    section: Any,
    where: str,
    recipes: Mapping[str, Mapping[str, Any]],
    of_recipe: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> Any:
    if not isinstance(section, Mapping) or section.get("recipe") is None:
        return section
    name = section["recipe"]
    if not isinstance(name, str) or name not in recipes:
        raise one_of(f"{where}.recipe", name, recipes)
    rest = {key: value for key, value in section.items() if key != "recipe"}
    return {**of_recipe(recipes[name]), **rest}


def _completed(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """``recipe`` with all defaults but that of ``epochs``, which has none."""
    defaults = Recipe().model_dump()
    del defaults["epochs"]
    return {**defaults, **recipe}
