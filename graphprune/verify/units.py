"""What holds between the files of a unit: masks, weights, histories, reports and metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from graphprune.comparison.columns import UNIT_LABELS
from graphprune.configuration.plan import training_of
from graphprune.files import read_json
from graphprune.layout import NetworkPaths, UnitPaths
from graphprune.methods import results
from graphprune.provenance import history
from graphprune.training.regimes import after_pruning, epochs_in_all
from graphprune.training.settings import Settings
from graphprune.verify.findings import Findings
from graphprune.verify.folder import Folder

WHAT = "the metrics of a unit"
ACCURACIES = ("accuracy_dense", "accuracy_pruned", "accuracy_finetuned")


def check(folder: Folder, findings: Findings) -> None:
    """Hold every unit that is there, and every dense network, against its other files."""
    for network in folder.networks():
        planned = _settings(folder, network, "train").epochs
        _check_history(network.dense_history, planned, findings)
        accuracies: dict[float, str] = {}
        for unit in folder.units(network):
            if Path(unit.mask).exists():
                with findings.reading(unit.mask, "a file of masks"):
                    _check_mask(folder, unit, findings)
            with findings.reading(folder.report_of(unit), "the report of a method"):
                _check_history(unit.history, _planned(folder, unit), findings)
            if Path(unit.metrics).exists():
                findings.looked["units"] += 1
                with findings.reading(unit.metrics, WHAT):
                    metrics, _ = read_json(unit.metrics, WHAT)
                    for reason in _reasons(folder, unit, metrics):
                        findings.add(f"{unit.metrics}: {reason}")
                    accuracies.setdefault(metrics["accuracy_dense"], unit.metrics)
        if len(accuracies) > 1:
            (one, path), (other, its), *_ = accuracies.items()
            findings.add(f"{its}: has accuracy_dense {other}, but {path} of the same network {one}")


def _check_mask(folder: Folder, unit: UnitPaths, findings: Findings) -> None:
    """Fine-tuned values are as many as the masks keep, and masks are those of their scores."""
    from graphprune import checkpoints
    from graphprune.models import networks, pruned

    masks = pruned.read(unit.mask)
    if Path(unit.finetuned).exists():
        with findings.reading(unit.finetuned, "a fine-tuned network"):
            weights, metadata = checkpoints.load(unit.finetuned, networks.KIND)
            if metadata.get("mask") != checkpoints.header(unit.mask)["content"]:
                findings.add(f"{unit.finetuned}: was trained under other masks than {unit.mask}")
            # what is outside the masks is not stored: 0 by its form
            pruned.expand(unit.finetuned, weights, masks, {})
            for name, values in weights.items():
                if not values.isfinite().all():
                    findings.add(f"{unit.finetuned}: {name} has values that are not finite")
    scores = folder.scores_of(unit)
    if Path(scores).exists():
        findings.looked["masks made again"] += 1
        scope = folder.config["methods"][unit.method]["scope"]
        again = results.masks_of(results.load(scores), 1 - 1 / float(unit.compression), scope)
        if again.keys() != masks.keys() or any(not masks[n].equal(again[n]) for n in masks):
            findings.add(f"{unit.mask}: is not the mask of {scores}")


def _reasons(folder: Folder, unit: UnitPaths, metrics: Mapping[str, Any]) -> Iterator[str]:
    """Why the metrics of a unit are not what its other files say."""
    expected = {
        "dataset": unit.dataset_name,
        "network": unit.network,
        "model": folder.entry(unit)["model"],
        "seed": unit.seed,
        "regime": unit.regime,
        "method": unit.method,
        "compression": float(unit.compression),
    }
    assert set(expected) == set(UNIT_LABELS)
    expected |= dict(_of_masks(unit, metrics))
    expected |= dict(_of_training(folder, unit))
    for key, value in expected.items():
        if metrics[key] != value:
            yield f"has {key} {metrics[key]!r}, but its other files say {value!r}"
    for key in ACCURACIES:
        if not 0 <= metrics[key] <= 1:
            yield f"has {key} {metrics[key]!r}; allowed: 0 to 1"
    # a compact file may be larger: of small layers the names take more than the values
    for kept in ("params", "flops"):
        if not 0 <= metrics[f"{kept}_kept"] <= metrics[f"{kept}_total"]:
            yield f"keeps more {kept} than there are"


def _of_masks(unit: UnitPaths, metrics: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """What the masks of a unit say of its metrics."""
    from graphprune.layers.finding import by_layer
    from graphprune.masks import sparsity_of
    from graphprune.models import pruned

    flops = sum(layer["flops_kept"] for layer in metrics["layers"])
    yield "flops_kept", flops
    if not Path(unit.mask).exists():
        return
    masks = pruned.read(unit.mask)
    yield "sparsity", sparsity_of(masks)
    yield "params_kept", sum(int(mask.sum()) for mask in masks.values())
    yield "params_total", sum(mask.numel() for mask in masks.values())
    densities = {name: int(m.sum()) / m.numel() for name, m in by_layer(masks).items()}
    yield (
        "layers",
        [{**layer, "density": densities.get(layer["layer"])} for layer in metrics["layers"]],
    )


def _of_training(folder: Folder, unit: UnitPaths) -> Iterator[tuple[str, object]]:
    """What histories and reports of a unit say of its metrics."""
    train = _settings(folder, unit, "train")
    trained = _epochs_trained(folder, unit)
    spent = epochs_in_all(unit.regime, train.epochs, trained, _planned(folder, unit))
    yield "epochs", spent
    if Path(path := folder.report_of(unit)).exists():
        report = results.load_report(path)
        yield "seconds_score", report.seconds
        yield "report", report.numbers
    if Path(unit.history).exists():
        rows = history.rows(unit.history)
        yield "seconds_finetune", sum(float(row["seconds"]) for row in rows)


def _planned(folder: Folder, unit: UnitPaths) -> int:
    """The epochs of the training that follows the pruning of a unit."""
    train, finetune = (_settings(folder, unit, part) for part in ("train", "finetune"))
    return after_pruning(unit.regime, train, finetune, _epochs_trained(folder, unit)).epochs


def _epochs_trained(folder: Folder, unit: UnitPaths) -> int:
    """The epochs that the method of a unit trained by itself; 0 where it reports nothing yet."""
    path = folder.report_of(unit)
    return results.load_report(path).epochs_trained if Path(path).exists() else 0


def _check_history(path: str, planned: int, findings: Findings) -> None:
    """A history has a row for every epoch, in their order, and accuracies in [0, 1]."""
    if not Path(path).exists():
        return
    findings.looked["histories"] += 1
    with findings.reading(path, "the history of a training"):
        rows = history.rows(path)
        if [int(row["epoch"]) for row in rows] != list(range(1, planned + 1)):
            findings.add(f"{path}: has {len(rows)} epochs; {planned} were to be trained")
        for row in rows:
            for key, value in row.items():
                if key.startswith("accuracy") and not 0 <= float(value) <= 1:
                    findings.add(f"{path}: {key} is {value}; allowed: 0 to 1")


def _settings(folder: Folder, network: NetworkPaths, section: str) -> Settings:
    return Settings.of(training_of(folder.config, folder.entry(network), section), seed=0)
