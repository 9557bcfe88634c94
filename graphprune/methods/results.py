"""What a method returned, on disk, and the masks made from it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graphprune import checkpoints
from graphprune.masks import Masks, prune
from graphprune.methods.base import Result
from graphprune.methods.catalog import method_class

if TYPE_CHECKING:
    from torch import Tensor

KIND = "scores"


@dataclass(frozen=True)
class Scored:
    """A method's result as read from disk.

    method: the method's name. seconds: wall time it took.
    """

    result: Result
    method: str
    seconds: float


def save(path: str | Path, result: Result, method: str, seconds: float) -> None:
    """Write ``result`` of ``method`` atomically as one safetensors file."""
    parts = {"scores": result.scores, "weights": result.weights}
    tensors = {f"{part}/{name}": t for part, named in parts.items() for name, t in named.items()}
    metadata = {
        "method": method,
        "seconds": repr(seconds),
        "report": json.dumps(result.report),
    }
    checkpoints.save(path, tensors, KIND, metadata)


def load(path: str | Path) -> Scored:
    """Read what ``save`` wrote; UserError names a file that is missing, damaged or foreign."""
    tensors, metadata = checkpoints.load(path, KIND)
    parts: dict[str, dict[str, Tensor]] = {"scores": {}, "weights": {}}
    for key, tensor in tensors.items():
        part, _, name = key.partition("/")
        parts[part][name] = tensor
    result = Result(**parts, report=json.loads(metadata["report"]))
    return Scored(result, metadata["method"], float(metadata["seconds"]))


def report_of(path: str | Path) -> tuple[dict[str, float], float]:
    """Report and seconds in a score file, from its header: no score is read."""
    metadata = checkpoints.metadata(path, KIND)
    return json.loads(metadata["report"]), float(metadata["seconds"])


def masks_of(scored: Scored, sparsity: float, scope: str) -> Masks:
    """The masks at ``sparsity``, or those the method decided on itself (RGP)."""
    if method_class(scored.method).decides_mask:
        return {name: score > 0 for name, score in scored.result.scores.items()}
    return prune(scored.result.scores, sparsity, scope)


def epochs_trained(path: str | Path) -> int:
    """Epochs that the method of a score file trained by itself (0 for most), from its header."""
    return int(report_of(path)[0].get("epochs_trained", 0))
