"""Networks on disk: a checkpoint that says how to build the network it belongs to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graphprune import checkpoints
from graphprune.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

KIND = "checkpoint"


@dataclass(frozen=True)
class Identity:
    """What network a checkpoint holds.

    input_shape: of one example, (channels, height, width).
    seed: of the initialisation and of the order of the examples.
    """

    dataset: str
    model: str
    input_shape: tuple[int, ...]
    num_classes: int
    seed: int

    def build(self) -> nn.Module:
        """The network at its random start."""
        from graphprune.models import build

        return build(self.model, self.input_shape, self.num_classes, seed=self.seed)


def save(path: str | Path, weights: Mapping[str, Tensor], identity: Identity) -> None:
    """Write the state dict ``weights`` of the network ``identity``, atomically."""
    metadata = {"network": json.dumps(asdict(identity))}
    checkpoints.save(path, weights, KIND, metadata)


def identity_of(path: str | Path) -> Identity:
    """The identity in a checkpoint written by ``save``; UserError names a file that is none."""
    _, metadata = checkpoints.load(path, KIND)
    return _identity(path, metadata)


def load(path: str | Path) -> tuple[nn.Module, Identity]:
    """The network in a checkpoint written by ``save``, in evaluation mode, and its identity.

    Raises UserError, naming the file, if it is missing, damaged, or another network's.

    >>> model, identity = load("results/digits/mlp/seed0/dense/checkpoint.safetensors")
    """
    identity = identity_of(path)
    model = identity.build()
    checkpoints.restore(model, path, KIND)
    return model.eval(), identity


def _identity(path: str | Path, metadata: Mapping[str, str]) -> Identity:
    try:
        found = json.loads(metadata["network"])
        return Identity(**{**found, "input_shape": tuple(found["input_shape"])})
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: does not say which network it holds; expected a checkpoint of graphprune"
        ) from error
