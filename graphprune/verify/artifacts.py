"""Artifacts that say what made them: whole, in their place, and made from what lies beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphprune import checkpoints
from graphprune.errors import UserError
from graphprune.provenance import history
from graphprune.provenance.artifacts import difference
from graphprune.provenance.recipe import Recipe, digest_of
from graphprune.verify.findings import Findings
from graphprune.verify.folder import Folder


@dataclass
class Artifacts:
    """The check of all artifacts of a folder.

    claims: for each file that is not there but others were made from, the digest that the first of
    them names, and this one. missing: what has been named as not there. following: outdated only
    because what they were made from is.
    """

    folder: Folder
    findings: Findings
    claims: dict[str, tuple[str, str]] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    following: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Look at each artifact that is there, and name those that are missing."""
        for path in self.folder.files:
            if recipe := self.folder.recipes.of(path):
                with self.findings.reading(path, "an artifact of this version"):
                    self._check(path, recipe)
        self.findings.outdated += self.following
        for path in dict.fromkeys(self.folder.expected()):
            if not Path(path).is_file():
                self.findings.absent.append(path)

    def _check(self, path: str, recipe: Recipe) -> None:
        self.findings.looked["artifacts"] += 1
        _, made = self.folder.disk.said(path)
        parts = (made["stage"], made["about"], made["settings"], made["code"], made["parents"])
        if digest_of(*parts) != made["recipe"]:
            raise UserError(f"{path}: what it says of what made it was changed")
        if made["about"] != dict(recipe.about) or made["stage"] != recipe.stage:
            raise UserError(f"{path}: {difference(made, recipe)}")
        if made["recipe"] != recipe.digest:
            own = made["settings"] == recipe.settings and made["code"] == recipe.code
            follows = self.following if own else self.findings.outdated
            follows.append(f"{path}: {difference(made, recipe)}")
        if path.endswith(".safetensors"):
            # of all tensors the digest is worked out again
            checkpoints.load(path, checkpoints.header(path)["kind"])
        self._check_history(path, made)
        for role, parent in recipe.parents.items():
            self._check_input(path, parent, made["inputs"].get(role))

    def _check_input(self, path: str, parent: Recipe, claimed: str | None) -> None:
        """Whether ``path`` was made from ``parent`` as it is, or as all others say that it was."""
        gone = not Path(parent.path).exists()
        if not gone:
            held, where = self.folder.disk.said(parent.path)[0], parent.path
        elif parent.path in self.folder.left_out:
            held, where = self.folder.left_out[parent.path], f"{parent.path}, which was left out"
        else:
            held, first = self.claims.setdefault(parent.path, (str(claimed), path))
            where = f"{parent.path} that {first} was made from"
            # scores are removed once their masks exist; what was reported of them is not
            if parent.stage != "score" or parent.path.endswith(".json"):
                self._missing(parent.path, path)
        if held != claimed:
            self.findings.add(f"{path}: was made from another file than {where}")

    def _check_history(self, path: str, made: Mapping[str, Any]) -> None:
        """The history beside a network, or that of metrics, is the one that they say."""
        beside = history.beside(path)
        if made["stage"] in history.STAGES and not Path(beside).exists():
            self._missing(beside, path)
        elif self.folder.disk.misfit_of_history(path, made):
            self.findings.add(f"{beside}: is not the history of {path}, or was changed")

    def _missing(self, path: str, made_from: str) -> None:
        if path not in self.folder.left_out and path not in self.missing:
            self.missing.add(path)
            self.findings.add(f"{path}: is not there, though {made_from} came of it or with it")
