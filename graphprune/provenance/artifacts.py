"""What an artifact on disk says of what made it, held against its recipe.

Checkpoints, masks and scores say it in their header, metrics and reports in their entry ``made``.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from graphprune import __version__, checkpoints
from graphprune.errors import UserError, shown
from graphprune.files import file_digest, read_json
from graphprune.jobs.provenance import source_state
from graphprune.provenance import history
from graphprune.provenance.code import PACKAGE
from graphprune.provenance.recipe import Recipe

# what decides the last digits of a result beside the code
PACKAGES = ("numba", "numpy", "scipy", "torch")


class Disk:
    """Reads what artifacts say, each file once while it does not change."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, int, int], tuple[str, dict[str, Any]]] = {}
        self._held: dict[str, tuple[str, dict[str, Any]]] = {}

    def hold(self, path: str) -> None:
        """Go by what the artifact at ``path`` says now, whatever is put there later."""
        self._held[path] = self.said(path)

    def said(self, path: str) -> tuple[str, dict[str, Any]]:
        """The digest of the content of the artifact at ``path``, and what made it.

        Raises UserError, naming the file, if it is missing or damaged, or does not say it.
        """
        if path in self._held:
            return self._held[path]
        try:
            state = Path(path).stat()
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}") from error
        key = (path, state.st_mtime_ns, state.st_size)
        if key not in self._said:
            self._said[key] = self._read(path)
        return self._said[key]

    def _read(self, path: str) -> tuple[str, dict[str, Any]]:
        if path.endswith(".safetensors"):
            header = checkpoints.header(path)
            content, made = header["content"], header.get("made")
        elif path.endswith(".json"):
            made = read_json(path, "an artifact of graphprune")[1]
            content = made.get("content")
        else:
            raise UserError(f"{path}: is a file that cannot say what made it")
        if not isinstance(made, dict) or not isinstance(content, str) or "recipe" not in made:
            raise UserError(f"{path}: does not say what made it")
        return content, made

    def misfit(self, recipe: Recipe, path: str = "") -> str:
        """Why the artifact of ``recipe`` on disk is not what it should be; empty if it is.

        It must carry the recipe's digest, and the inputs that it was made from must be those that
        lie on disk now, where they still do.

        path: where it lies; the recipe's own path by default.
        """
        path = path or recipe.path
        try:
            _, made = self.said(path)
            if made["recipe"] != recipe.digest:
                return f"{path}: {difference(made, recipe)}"
            inputs = made["inputs"]
            for role, parent in recipe.parents.items():
                if Path(parent.path).exists() and self.said(parent.path)[0] != inputs.get(role):
                    return f"{path}: was made from another file than {parent.path}"
            return self.misfit_of_history(path, made)
        except UserError as error:
            return str(error)
        except (KeyError, TypeError, AttributeError, RecursionError):
            return f"{path}: does not say completely what made it"

    def misfit_of_history(self, path: str, made: Mapping[str, Any]) -> str:
        """Why the history beside ``path`` is not the one that it says; empty if it is, or is gone.

        made: what made ``path``: a trained network, which its history lies beside, or metrics,
        which were made from it.
        """
        beside = history.beside(path)
        if made["stage"] not in history.STAGES or not Path(beside).exists():
            return ""
        if self._history(made["stage"], path) != made.get(history.ENTRY):
            return f"{path}: belongs to another history than {beside}"
        return ""

    def _history(self, stage: str, path: str) -> str:
        """The digest of the history beside ``path``; metrics count its seconds, networks do not."""
        digest = file_digest if stage == "evaluate" else history.digest
        return digest(history.beside(path))

    def made(self, recipe: Recipe) -> dict[str, object]:
        """What an artifact of ``recipe`` that is written now says of what made it.

        Its inputs must lie on disk, and the history of a training beside it. Nothing in it depends
        on the place or the time.
        """
        trained = recipe.stage in history.STAGES
        own = {history.ENTRY: self._history(recipe.stage, recipe.path)} if trained else {}
        return {
            **own,
            "recipe": recipe.digest,
            "stage": recipe.stage,
            "about": recipe.about,
            "settings": recipe.settings,
            "parents": {role: parent.digest for role, parent in recipe.parents.items()},
            "inputs": {role: self.said(one.path)[0] for role, one in recipe.parents.items()},
            "code": recipe.code,
            **maker(),
        }


@cache
def _maker() -> tuple[tuple[str, object], ...]:
    packages = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return tuple(
        {
            "version": __version__,
            **source_state(PACKAGE, ".", "../workflow"),
            "packages": packages,
        }.items()
    )


def maker() -> dict[str, object]:
    """The version of graphprune and of its packages, and the commit, of this process."""
    return dict(_maker())


def difference(made: Mapping[str, Any], recipe: Recipe) -> str:
    """In words, the first difference between what made an artifact and its recipe."""
    about = dict(made.get("about", {}))
    if about != dict(recipe.about):
        whose = Recipe("", "", about, {}, "").name
        return f"is that of {whose or 'another artifact'}, not of {recipe.name}"
    if made.get("stage") != recipe.stage:
        return f"is the result of {made.get('stage')}, not of {recipe.stage}"
    old, new = _flat(made.get("settings", {})), _flat(recipe.settings)
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            before, now = shown(old.get(key, "not set")), shown(new.get(key, "not set"))
            return f"was made with {key} = {before}; now it is {now}"
    if made.get("code") != recipe.code:
        return f"was made by other code of {recipe.stage}"
    for role, parent in recipe.parents.items():
        if made.get("parents", {}).get(role) != parent.digest:
            return f"was made from another {role} than {parent.path} is to be"
    return "was made in another way"


def _flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{above}.{key}" if above else key
        flat |= _flat(value, name) if isinstance(value, Mapping) else {name: value}
    return flat
