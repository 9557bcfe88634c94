"""What one artifact is made by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from graphprune.layout import FORMAT, ratio_text


@dataclass(frozen=True)
class Recipe:
    """The settings that decide an artifact, the code of its stage, and what it is made from.

    Two artifacts of one recipe are the same.

    path: where it lies. stage: what makes it. about: whose it is (dataset, network, seed, ...).
    settings: the part of the configuration that decides it. code: digest of the source.
    parents: the recipes of what it is made from, by role.
    """

    path: str
    stage: str
    about: Mapping[str, object]
    settings: Mapping[str, object]
    code: str
    parents: Mapping[str, Recipe] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """SHA-256, hexadecimal, of all but the path."""
        parents = {role: parent.digest for role, parent in self.parents.items()}
        return digest_of(self.stage, self.about, self.settings, self.code, parents)

    @property
    def name(self) -> str:
        """Whose artifact it is, in words: ``digits/mlp/seed0/finetune/rgp/x8``."""
        parts = dict(self.about)
        names = [str(parts[key]) for key in ("dataset", "network") if key in parts]
        if "seed" in parts:
            names.append(f"seed{parts['seed']}")
        names += [str(parts[key]) for key in ("regime", "method") if key in parts]
        if "compression" in parts:
            names.append(f"x{ratio_text(float(str(parts['compression'])))}")
        return "/".join(names)


def digest_of(
    stage: str,
    about: Mapping[str, object],
    settings: Mapping[str, object],
    code: str,
    parents: Mapping[str, str],
) -> str:
    """The digest of a recipe that consists of these parts. parents: their digests by role."""
    parts = [FORMAT, stage, about, settings, code, parents]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
