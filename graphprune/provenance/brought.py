"""Recipes of networks that were trained elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from graphprune.layout import ResultPaths
from graphprune.pretrained.published import facts
from graphprune.pretrained.source import Source
from graphprune.provenance.code import SCRIPTS, digest_of
from graphprune.provenance.recipe import Recipe


def fetched(results: ResultPaths, entry: Mapping[str, Any]) -> Recipe | None:
    """The published weights that ``entry``, a network of the configuration, names; None if none."""
    source = Source.of(entry.get("checkpoint", ""))
    if not source.published:
        return None
    # timm has no name of a file to give
    file = facts(source).file if source.kind == "torchvision" else ""
    code = digest_of(str(SCRIPTS / "fetch.py"))
    path = results.weights(source.in_paths)
    return Recipe(path, "fetch", {"weights": source.text}, {"file": file}, code)


def taken_over(recipe: Recipe, entry: Mapping[str, Any], weights: Recipe | None) -> Recipe:
    """``recipe`` of a network with what decides it: the bytes of its file, or the ``weights``.

    Where the file lies decides nothing.
    """
    own: dict[str, Any] = {"sha256": entry["sha256"]} if "sha256" in entry else {}
    if "preprocess" in entry:
        # names of classes are compared, and alter nothing
        own["preprocess"] = {k: v for k, v in entry["preprocess"].items() if k != "classes"}
    parents = {"weights": weights} if weights else {}
    settings, inputs = {**recipe.settings, **own}, {**recipe.parents, **parents}
    return replace(recipe, settings=settings, parents=inputs)
