"""Checkpoints of a ProbMask training: everything the next step depends on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from graphprune import checkpoints
from graphprune.errors import UserError
from graphprune.probmask.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from graphprune.probmask.binding import Binding

KIND = "probmask training"
# what the final mask is made with does not change the training
FINAL = ("final", "final_draws", "final_examples")


def identity(
    settings: Settings, binding: Binding, inputs: Tensor, targets: Tensor
) -> dict[str, Any]:
    """What a training has in common with the one that wrote a checkpoint."""
    chosen = {f.name: getattr(settings, f.name) for f in fields(Settings) if f.name not in FINAL}
    sizes = {n: list(shape) for n, shape in zip(binding.names, binding.shapes, strict=True)}
    return {**chosen, "parameters": sizes, "examples": _digest(inputs, targets)}


def _digest(*tensors: Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(str(tuple(tensor.shape)).encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def write(path: str | Path, tensors: dict[str, Tensor], written: dict[str, Any]) -> None:
    """Write a checkpoint atomically; ``written`` is what is no tensor, as JSON."""
    # clones: layers' weights are views of one vector, which the file format refuses
    cloned = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    checkpoints.save(path, cloned, KIND, {"written": json.dumps(written)})


def read(path: str | Path, expected: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint; UserError, naming file and setting, if it is of another training."""
    tensors, metadata = checkpoints.load(path, KIND)
    written = json.loads(metadata["written"])
    found = written["training"]
    for key in sorted(expected.keys() | found.keys()):
        if found.get(key) != expected.get(key):
            raise UserError(
                f"{path}: {key} is {found.get(key)!r} there, {expected.get(key)!r} here; "
                "expected a checkpoint of this training (delete the file to start over)"
            )
    return tensors, written


def of_optimizer(name: str, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's tensors, named ``name.<parameter index>.<entry>``."""
    return {
        f"{name}.{index}.{entry}": tensor
        for index, entries in optimizer.state_dict()["state"].items()
        for entry, tensor in entries.items()
        if isinstance(tensor, torch.Tensor)
    }


def into_optimizer(name: str, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put tensors made by `of_optimizer` back."""
    restored: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        if key.startswith(f"{name}."):
            _, index, entry = key.split(".", 2)
            restored.setdefault(int(index), {})[entry] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": restored})


def of_generators(device: torch.device) -> dict[str, Tensor]:
    """States of torch's generators."""
    states = {"generator.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["generator.cuda"] = torch.cuda.get_rng_state(device)
    return states


def into_generators(device: torch.device, tensors: dict[str, Tensor]) -> None:
    """Put states made by `of_generators` back."""
    torch.set_rng_state(tensors["generator.cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(tensors["generator.cuda"], device)
