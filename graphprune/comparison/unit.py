"""What one unit achieves: its row of the comparison, from its files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from graphprune.compaction import savings
from graphprune.masks import sparsity_of
from graphprune.methods import results
from graphprune.models import networks, pruned
from graphprune.training import evaluation
from graphprune.training.regimes import epochs_in_all

if TYPE_CHECKING:
    import torch

    from graphprune.data import Split


def labels_of(
    identity: networks.Identity, regime: str, method: str, compression: float
) -> dict[str, object]:
    """What names a unit (`graphprune.comparison.columns.UNIT_LABELS`)."""
    return {
        "dataset": identity.dataset,
        "network": identity.network,
        "model": identity.model,
        "seed": identity.seed,
        "regime": regime,
        "method": method,
        "compression": compression,
    }


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
    report: str | Path,
    start: str | Path,
    mask: str | Path,
    finetuned: str | Path,
    history: str | Path,
) -> dict[str, object]:
    """One unit's row of the comparison, and the cost of each of its layers.

    method: its label in the configuration. compression: the ratio asked for; ``sparsity`` and the
    counts are what was achieved. device: where accuracies are measured. train_epochs: of the dense
    network; ``epochs`` is what the unit took in all. start: checkpoint of the network that the
    method saw. The other paths are the unit's files.
    """
    reported = results.load_report(report)
    masks = pruned.read(mask)
    before, _ = networks.load_pruned(start, mask)
    after, _ = networks.load(finetuned)
    layers = evaluation.costs(after, identity.input_shape, masks)
    sizes = savings(after, masks, identity.input_shape, batch_sizes=())
    seconds = _seconds(history)
    return {
        **labels_of(identity, regime, method, compression),
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
        "epochs": epochs_in_all(regime, train_epochs, reported.epochs_trained, len(seconds)),
        "seconds_score": reported.seconds,
        "seconds_finetune": sum(seconds),
        "report": reported.numbers,
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
