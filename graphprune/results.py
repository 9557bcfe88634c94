"""What a method found, on disk, and what its units achieve."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graphprune import checkpoints, evaluation, networks
from graphprune.compaction import savings
from graphprune.masks import Masks, prune, sparsity_of
from graphprune.methods import Result, method_class
from graphprune.regimes import epochs_in_all

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from graphprune.data import Split

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


def masks_of(scored: Scored, sparsity: float, scope: str) -> Masks:
    """The masks at ``sparsity``, or those the method decided on itself (RGP)."""
    if method_class(scored.method).decides_mask:
        return {name: score > 0 for name, score in scored.result.scores.items()}
    return prune(scored.result.scores, sparsity, scope)


def epochs_trained(path: str | Path) -> int:
    """Epochs for which the method of a score file trained the network itself (0 for most)."""
    return int(load(path).result.report.get("epochs_trained", 0))


def unit_metrics(
    *,
    identity: networks.Identity,
    regime: str,
    train_epochs: int,
    method: str,
    compression: float,
    dense_accuracy: float,
    test: Split,
    device: torch.device | str = "cpu",
    scores: str | Path,
    mask: str | Path,
    pruned: str | Path,
    finetuned: str | Path,
    history: str | Path,
) -> dict[str, object]:
    """One unit's row of the comparison, and the cost of each of its layers.

    method: its label in the configuration. compression: the ratio asked for; ``sparsity`` and the
    counts are what was achieved. device: where accuracies are measured. train_epochs: of the dense
    network; ``epochs`` is what the unit took in all. The paths are the unit's files.
    """
    scored = load(scores)
    masks, _ = checkpoints.load(mask, "mask")
    before, _ = networks.load(pruned)
    after, _ = networks.load(finetuned)
    layers = evaluation.costs(after, identity.input_shape, masks)
    sizes = savings(after, masks, identity.input_shape, batch_sizes=())
    trained = int(scored.result.report.get("epochs_trained", 0))
    seconds = _seconds(history)
    return {
        "dataset": identity.dataset,
        "model": identity.model,
        "seed": identity.seed,
        "regime": regime,
        "method": method,
        "compression": compression,
        "sparsity": sparsity_of(masks),
        "params_total": sum(layer.params_total for layer in layers),
        "params_kept": sum(layer.params_kept for layer in layers),
        "flops_total": sum(layer.flops_total for layer in layers),
        "flops_kept": sum(layer.flops_kept for layer in layers),
        "file_size_total": sizes.file_size_total,
        "file_size_kept": sizes.file_size_kept,
        "accuracy_dense": dense_accuracy,
        "accuracy_pruned": evaluation.accuracy(before.to(device), test),
        "accuracy_finetuned": evaluation.accuracy(after.to(device), test),
        "epochs": epochs_in_all(regime, train_epochs, trained, len(seconds)),
        "seconds_score": scored.seconds,
        "seconds_finetune": sum(seconds),
        "report": scored.result.report,
        "layers": [
            {"layer": layer.name, "density": layer.density, "flops_kept": layer.flops_kept}
            for layer in layers
        ],
    }


def _seconds(history: str | Path) -> list[float]:
    """Seconds of every epoch."""
    import csv

    with Path(history).open(newline="") as file:
        return [float(row["seconds"]) for row in csv.DictReader(file)]
