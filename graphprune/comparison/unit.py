"""What one unit achieves: its row of the comparison, from its files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from graphprune.compaction import savings
from graphprune.comparison import reading
from graphprune.comparison.columns import check_unit
from graphprune.errors import UserError
from graphprune.layers.finding import by_layer
from graphprune.masks import removed_count, sparsity_of
from graphprune.methods import method_class, results
from graphprune.models import networks, pruned
from graphprune.training import evaluation
from graphprune.training.regimes import epochs_after, epochs_in_all

if TYPE_CHECKING:
    import torch
    from torch import nn

    from graphprune.data import Split
    from graphprune.masks import Masks


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
    finetune_epochs: int,
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

    identity: of the dense network, which ``start`` and ``finetuned`` must have as well. method: its
    label in the configuration. compression: the ratio asked for; ``sparsity`` and the counts are
    what was achieved. device: where accuracies are measured. train_epochs, finetune_epochs: of the
    dense network, and of fine-tuning, as configured; ``epochs`` is what the unit took in all.
    start: checkpoint of the network that the method saw. The other paths are the unit's files.

    Raises UserError, naming a file, if one is missing, damaged or another unit's, if weights are
    not finite or not 0 outside the masks, if the history is not that of the epochs planned, and if
    a number cannot be: its range, and what holds between numbers, are in
    `graphprune.comparison.columns.UnitRow`.
    """
    reported = results.load_report(report)
    planned = epochs_after(regime, train_epochs, finetune_epochs, reported.epochs_trained)
    rows = reading.history(history, planned)
    masks = pruned.read(mask)
    before = _network(networks.load_pruned(start, mask), identity, masks, start)
    after = _network(networks.load(finetuned), identity, masks, finetuned)
    layers = evaluation.costs(after, identity.input_shape, masks)
    if by_layer(masks).keys() != {layer.name for layer in layers}:
        raise UserError(f"{mask}: is of other layers than the network's; remove it and run again")
    sizes = savings(after, masks, identity.input_shape, batch_sizes=())
    row = {
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
        "epochs": epochs_in_all(regime, train_epochs, reported.epochs_trained, len(rows)),
        "seconds_score": reported.seconds,
        "seconds_finetune": sum(row["seconds"] for row in rows),
        "report": reported.numbers,
        "layers": [
            {"layer": layer.name, "density": layer.density, "flops_kept": layer.flops_kept}
            for layer in layers
        ],
    }
    removed = None
    if not method_class(reported.method).decides_mask:
        removed = removed_count(sum(mask.numel() for mask in masks.values()), 1 - 1 / compression)
    return check_unit(row, removed, f"{finetuned}: metrics of the unit")


def _network(
    loaded: tuple[nn.Module, networks.Identity],
    identity: networks.Identity,
    masks: Masks,
    path: str | Path,
) -> nn.Module:
    """The network read from ``path``, if it is the one expected and holds its masks."""
    model, found = loaded
    if found != identity:
        raise UserError(f"{path}: holds {_name(found)}; expected {_name(identity)}")
    weights = model.state_dict()
    try:
        pruned.check_zeros(weights, masks)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise UserError(f"{path}: {name} is not finite; remove the file and run again")
    return model


def _name(identity: networks.Identity) -> str:
    return f"{identity.of} ({identity.model}) of seed {identity.seed}"
