"""Checkpoints of a ProbMask training: everything the next step depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from graphprune import checkpoints
from graphprune.errors import UserError, shown
from graphprune.probmask.settings import Settings
from graphprune.training.optimizers import SGD, Adam

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graphprune.probmask.binding import Binding

KIND = "probmask training"
# settings of the final mask, on which the training does not depend
FINAL = ("final", "final_draws", "final_examples")


@dataclass(frozen=True, eq=False)
class Start:
    """Where a training ended, and where a training at a higher sparsity may start.

    network: the whole state dict, its prunable weights without a mask.
    probabilities: s by the names of the prunable weights.
    keep: ρ, the share of weights that the training kept.
    epochs: trained so far, in this training and in those that it started from.
    """

    network: dict[str, Tensor]
    probabilities: dict[str, Tensor]
    keep: float
    epochs: int


def identity(
    settings: Settings,
    model: nn.Module,
    binding: Binding,
    examples: tuple[Tensor, Tensor],
    start: Start | None,
) -> dict[str, Any]:
    """What must be equal in a training and in the one that wrote its checkpoint."""
    chosen = {f.name: getattr(settings, f.name) for f in fields(Settings) if f.name not in FINAL}
    sizes = {n: list(shape) for n, shape in zip(binding.names, binding.shapes, strict=True)}
    began = None
    if start is not None:
        began = [_digest(start.network), _digest(start.probabilities), start.keep, start.epochs]
    return {
        **chosen,
        "parameters": sizes,
        "network": _digest(model.state_dict()),
        "examples": _digest(dict(zip(("inputs", "targets"), examples, strict=True))),
        "start": began,
    }


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor):  # images of a streamed dataset
            digest.update(tensor.digest)
            continue
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def write(path: str | Path, tensors: dict[str, Tensor], written: dict[str, Any]) -> None:
    """Write a checkpoint atomically; ``written``, all that is no tensor, is stored as JSON."""
    # clones, for the file format refuses views of one vector, which the layers' weights are
    cloned = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    checkpoints.save(path, cloned, KIND, {"written": json.dumps(written)})


def read(path: str | Path, expected: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint; ForeignCheckpointError names the setting that differs."""
    tensors, metadata = checkpoints.load(path, KIND)
    try:
        written = json.loads(metadata["written"])
        stored = dict(written["training"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: does not say which training it is of (delete the file to start over)"
        ) from error
    for key in sorted(expected.keys() | stored.keys()):
        if stored.get(key) != expected.get(key):
            there, here = shown(stored.get(key)), shown(expected.get(key))
            raise checkpoints.ForeignCheckpointError(
                f"{path}: {shown(key)[1:-1]} is {there} there, {here} here; "
                "expected a checkpoint of this training (delete the file to start over)"
            )
    return tensors, written


def of_optimizers(sgd: SGD, adam: Adam) -> dict[str, Tensor]:
    """The optimizers' tensors by name; a parameter that had no gradient so far has no velocity."""
    lists = {"adam.first": adam.first, "adam.second": adam.second, "adam.steps": adam.steps}
    velocities = {f"sgd.velocity.{i}": v for i, v in enumerate(sgd.velocity) if v is not None}
    entries = {f"{name}.{i}": t for name, held in lists.items() for i, t in enumerate(held)}
    return {**entries, **velocities}


def into_optimizers(sgd: SGD, adam: Adam, tensors: dict[str, Tensor]) -> None:
    """Put tensors made by `of_optimizers` back."""
    for name, held in (("first", adam.first), ("second", adam.second), ("steps", adam.steps)):
        for index, tensor in enumerate(held):
            tensor.copy_(tensors[f"adam.{name}.{index}"])
    for index, parameter in enumerate(sgd.parameters):
        velocity = tensors.get(f"sgd.velocity.{index}")
        sgd.velocity[index] = None if velocity is None else velocity.to(parameter.device)
