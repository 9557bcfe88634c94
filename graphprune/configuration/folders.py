"""Folders in the configuration: which can hold results, and be removed again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphprune.configuration.keys import Config, Data
from graphprune.configuration.values import Folder
from graphprune.errors import UserError, shown
from graphprune.options import Section, validated

# Snakemake reads braces as wildcards; a shell reads ~ and -
FORBIDDEN = "{}*?"


class Folders(Section):
    """The keys of `Config` that name folders of the run."""

    results: Folder = Config.model_fields["results"].default
    data: Data = Config.model_fields["data"].default


def results_folder(config: Mapping[str, Any]) -> str:
    """The folder of results that ``config`` names, checked; the other keys are not looked at.

    No plug-in is loaded, so that a configuration can be asked for its folder without running code.

    Raises UserError: one line that names the key, its value and what is allowed.

    >>> results_folder({"results": "results/mine/", "plugins": ["any.py"]})
    'results/mine'
    """
    keys = {name: config[name] for name in Folders.model_fields if name in config}
    folders = validated(Folders, keys)
    check_folders(folders)
    return without_slash(folders["results"])


def without_slash(folder: str) -> str:
    """``folder`` as it stands in paths: without ``./``, double slashes and slashes at its end."""
    return str(Path(folder))


def check_folders(config: Mapping[str, Any]) -> None:
    """UserError unless ``results`` can be a folder of results, and holds nothing else."""
    results = Path(config["results"])
    what = f"results is {shown(config['results'])}"
    if config["results"][0] in "~-" or any(letter in config["results"] for letter in FORBIDDEN):
        raise UserError(
            f"{what}; allowed: a path that begins with neither ~ nor - and has none of {FORBIDDEN}"
        )
    if any(len(part.encode()) > 255 for part in results.parts):
        raise UserError(f"{what}; allowed: names of at most 255 bytes")
    whole = _resolved("results", config["results"])
    for above in (whole, *whole.parents):
        if above.exists() and not above.is_dir():
            raise UserError(f"{what}; {above} is a file, and a folder is needed")
    if Path.cwd().is_relative_to(whole):
        raise UserError(
            f"{what}; allowed: another folder than the working directory and those above it, for "
            "`make clean` removes the results"
        )
    if _resolved("data.folder", config["data"]["folder"]).is_relative_to(whole):
        raise UserError(
            f"data.folder is {shown(config['data']['folder'])}; allowed: a folder outside the "
            f"results ({config['results']}), for `make clean` removes them"
        )


def _resolved(key: str, folder: str) -> Path:
    """``folder`` without symbolic links, if all on the way to it can be looked at."""
    try:
        whole = Path(folder).resolve()
        whole.exists()
    except (OSError, RuntimeError) as error:  # a folder that is closed, a circle of links
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise UserError(
            f"{key} is {shown(folder)}; allowed: a folder that can be reached ({reason})"
        ) from error
    return whole


def file_beside(key: str, path: str, beside: Path | None) -> str:
    """The file ``path``, beside the configuration or where we work; relative where it can be.

    key: of the configuration, that names it. beside: folder of the configuration's file.

    Raises UserError for one that is not there, and for a path that cannot be one.
    """
    if any(letter in path for letter in FORBIDDEN):
        raise UserError(f"{key}: {shown(path)}; allowed: a path without any of {FORBIDDEN}")
    folders = [folder for folder in (beside, Path()) if folder is not None]
    try:
        for folder in folders:
            file = folder / path
            if file.is_file():
                inside = file.resolve().is_relative_to(Path.cwd())
                return str(file.resolve().relative_to(Path.cwd()) if inside else file.resolve())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{key}: {shown(path)} is no path ({reason})") from error
    places = " and ".join(dict.fromkeys(str(folder.resolve()) for folder in folders))
    raise UserError(f"{key}: {shown(path)}: no such file in {places}")
