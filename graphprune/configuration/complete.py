"""The configuration: filled with its defaults, and checked whole before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from graphprune.configuration.brought import filled
from graphprune.configuration.folders import check_folders, file_beside, without_slash
from graphprune.configuration.keys import Config, entry_section
from graphprune.configuration.plan import check_plan
from graphprune.configuration.recipes import resolved
from graphprune.configuration.values import NAME, NAME_IN_WORDS
from graphprune.data.streamed import folders
from graphprune.errors import UserError, one_of, shown
from graphprune.layout import path_label
from graphprune.methods.catalog import METHODS, method_class
from graphprune.options import first_error, matching, validated
from graphprune.plugins import RESERVED, load_plugins

Complete = dict[str, Any]
# what an entry of `methods` says beside the hyperparameters
NOT_OPTIONS = ("method", "scope", "regimes")


def complete(config: Mapping[str, Any], beside: Path | None = None, look: bool = True) -> Complete:
    """``config`` with the defaults filled in, every method and network spelt out, and checked.

    The plug-ins it names are loaded. ``config`` itself is left as it is.

    Parameters
    ----------
    config : the keys of ``config.yaml``.
    beside : folder of the file it was read from, where plug-ins and checkpoints are looked for
        before the working directory.
    look : whether to look at the files of networks that were trained elsewhere.

    Returns
    -------
    A new dictionary. Recipes stand in the trainings that use them, without their names. Each
    network has its ``name`` and ``options``, one that was trained elsewhere also the digest of its
    file and how it sees images. Each entry of ``methods`` has its
    ``method``, ``scope``, ``regimes`` and all hyperparameters that the workflow does not set
    itself; ``plugins`` are paths that exist.

    Raises
    ------
    UserError : one line that names the first wrong key, its value and what is allowed.

    >>> complete({"networks": [{"dataset": "digits", "model": "mlp"}], "seeds": [0],
    ...           "compressions": [2], "methods": {"random": {}}})["results"]
    'results'
    """
    try:
        full = _complete(config, beside, look)
        check_folders(full)
        check_plan(full)
        full["results"] = without_slash(full["results"])
    except UserError as error:
        raise UserError(f"config: {error}") from error
    return full


def options(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters in a completed ``methods`` entry."""
    return {key: value for key, value in entry.items() if key not in NOT_OPTIONS}


def _complete(config: Mapping[str, Any], beside: Path | None, look: bool) -> Complete:
    if not isinstance(config, Mapping):
        raise UserError(f"it is {shown(config)}; expected keys and their values")
    plugins = plugin_files(config.get("plugins"), beside)
    load_plugins(plugins)
    config = resolved(config)
    folders.register(config.get("data"))
    try:
        keys = Config.model_validate({**config, **_unnamed(config)})
    except ValidationError as error:
        raise first_error(error, Config, config, "") from None
    # options and entries are checked one by one below; written out, aliases could make them huge
    unset = {"train": {"recipe"}, "finetune": {"recipe"}}
    full = keys.model_dump(exclude={"networks": True, "methods": True, "recipes": True, **unset})
    full["plugins"] = plugins
    networks = [
        {**network.model_dump(exclude_unset=True, exclude={"options": True, **unset}),
         "options": network.options, "name": network.name or path_label(network.model)}
        for network in keys.networks
    ]  # fmt: skip
    full["networks"] = [
        filled(network, f"networks[{place}]", beside, look)
        for place, network in enumerate(networks)
    ]
    full["rgp_aspl"]["train"] = keys.rgp_aspl.train.model_dump(
        exclude_unset=True, exclude={"recipe"}
    )
    full["methods"] = {
        label: _entry(label, entry, full["regimes"]) for label, entry in keys.methods.items()
    }
    return full


def _unnamed(config: Mapping[str, Any]) -> Complete:
    """The networks, without names that complete the model's: `-` is no letter of other names."""
    networks = config.get("networks")
    if not isinstance(networks, list):
        return {}

    def unnamed(one: object) -> object:
        model = one.get("model") if isinstance(one, Mapping) else None
        if not isinstance(model, str) or ":" not in model:
            return one
        assert isinstance(one, Mapping)
        return {key: one[key] for key in one if (key, one[key]) != ("name", path_label(model))}

    return {"networks": [unnamed(one) for one in networks]}


def plugin_files(given: object, beside: Path | None) -> list[str]:
    """The files of the plug-ins ``given``, each beside the configuration or where we work.

    None is loaded. Raises UserError for one that is not there.
    """
    if not isinstance(given, list) or not all(isinstance(path, str) for path in given):
        return []  # the check of all keys says what is wrong with it
    return [file_beside("plugins", path, beside) for path in given]


def _entry(label: str, entry: Mapping[str, Any], regimes: list[str]) -> Complete:
    path = f"methods.{label}"
    _check_label(label)
    name = entry.get("method", label)
    if not isinstance(name, str) or name not in METHODS:
        key = path if name == label else f"{path}.method"
        raise one_of(f"{key}: method" if name == label else key, name, METHODS)
    if label in METHODS and name != label:
        raise UserError(
            f"{path}.method is {name}, but {label} is a method itself; give the entry another label"
        )
    full = validated(entry_section(method_class(name)), entry, path)
    full["regimes"] = full["regimes"] or list(regimes)
    return full


def _check_label(label: str) -> None:
    try:
        matching(NAME, NAME_IN_WORDS)(label)
    except ValueError as error:
        raise UserError(f"methods: label is {shown(label)}; {error}") from None
    if label in RESERVED or len(label) > 60:
        reserved = ", ".join(sorted(RESERVED))
        raise UserError(
            f"methods: label is {shown(label)}; allowed: at most 60 characters, and none of "
            f"{reserved}"
        )
