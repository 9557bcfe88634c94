"""What the workflow's scripts pass to one another, against results worked out by other means.

One small run: a network with batch norm and dropout, two seeds, both regimes, five methods. Every
artifact is made again from the ones before it by the plain code in ``plain_results``.
"""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import plain_results as plain
import pytest
import torch
from plain_results import FINETUNE, METHODS, RATIOS, SEEDS, TRAIN, WEIGHTS
from safetensors.torch import save as bytes_of

import graphprune

REGIMES = ("finetune", "scratch")
UNITS = [(s, r, m, c) for s in SEEDS for r in REGIMES for m in METHODS for c in RATIOS]
LABELS = ("dataset", "network", "model", "seed", "regime", "method", "compression")


@pytest.fixture
def results(glue_folder: Path) -> Path:
    return glue_folder / "out"


def network_folder(results: Path, seed: int) -> Path:
    return results / plain.NETWORK / f"seed{seed}"


def unit_folder(results: Path, seed: int, regime: str, method: str, ratio: float) -> Path:
    return network_folder(results, seed) / regime / method / f"x{ratio:g}"


def start(results: Path, seed: int, regime: str) -> dict[str, Any]:
    """The network that a method sees: trained in finetune, untrained in scratch."""
    name = "checkpoint" if regime == "finetune" else "initial"
    return plain.tensors(network_folder(results, seed) / f"dense/{name}.safetensors")


def scores_of(results: Path, unit: tuple[int, str, str, float]) -> dict[str, Any]:
    seed, regime, method, ratio = unit
    folder = unit_folder(results, seed, regime, method, ratio)
    path = folder if method == "probmask" else folder.parent
    found = plain.tensors(path / "scores.safetensors")
    return {name: found[f"scores/{name}"] for name in WEIGHTS}


def mask_of(results: Path, unit: tuple[int, str, str, float]) -> dict[str, Any]:
    found = plain.tensors(unit_folder(results, *unit) / "mask.safetensors")
    return {name: found[name] for name in WEIGHTS}


def before_tuning(results: Path, unit: tuple[int, str, str, float]) -> dict[str, Any]:
    """The pruned network, from what the method saw and its masks, by hand."""
    seed, regime, method, _ = unit
    weights, masks = start(results, seed, regime), mask_of(results, unit)
    if method == "probmask":
        path = unit_folder(results, *unit) / "scores.safetensors"
        trained = plain.tensors(path)
        weights = {name: trained[f"weights/{name}"] for name in weights}
    elif regime == "scratch":
        weights = plain.rescaled(weights, masks)
    return plain.pruned(weights, masks)


def epochs_after(regime: str, method: str) -> int:
    """Epochs of the training after pruning; in scratch both budgets, less the method's own."""
    if regime == "finetune":
        return 2
    return 3 + 2 - plain.OWN_EPOCHS.get(method, 0)


def close(found: dict[str, Any], expected: dict[str, Any], where: object) -> None:
    assert found.keys() == expected.keys(), where
    for name, tensor in expected.items():
        torch.testing.assert_close(
            found[name], tensor, rtol=1e-5, atol=1e-6, msg=lambda m, n=name: f"{where} {n}: {m}"
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_the_dense_network_is_trained_from_its_seed_on_the_training_split(results, seed):
    weights = start(results, seed, "scratch")
    close(weights, plain.initial(seed), seed)
    model = plain.network(weights)
    assert len(plain.split(results, "train").labels) % TRAIN["batch_size"]
    assert len(plain.split(results, "train").labels) % FINETUNE["batch_size"]
    train, validation = (plain.split(results, name) for name in ("train", "validation"))
    losses = plain.train(model, train, TRAIN, plain.seed_of(seed, "train"))
    close(start(results, seed, "finetune"), model.state_dict(), seed)
    history = plain.rows(network_folder(results, seed) / "dense/history.csv")
    assert [float(row["loss"]) for row in history] == pytest.approx(losses, rel=1e-5)
    last = float(history[-1]["accuracy_validation"])
    assert last == plain.accuracy(model, validation)
    # these would be other numbers
    others = {plain.accuracy(model, plain.split(results, name)) for name in ("train", "test")}
    assert last not in others


def test_seeds_differ(results):
    first, second = (start(results, seed, "scratch")["1.weight"] for seed in SEEDS)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("seed", SEEDS)
def test_examples_are_the_first_of_each_class_right_if_trained(results, seed, regime):
    model, train = plain.network(start(results, seed, regime)), plain.split(results, "train")
    allowed = torch.ones(len(train.labels), dtype=torch.bool)
    if regime == "finetune":
        allowed = model(train.images).argmax(1) == train.labels
    first = [
        index
        for label in range(10)
        for index in (allowed & (train.labels == label)).nonzero().flatten().tolist()[:2]
    ]
    name = "activations" if regime == "finetune" else "initial_activations"
    found = plain.tensors(network_folder(results, seed) / f"dense/{name}.safetensors")
    assert found["indices"].tolist() == sorted(first)
    assert torch.equal(found["layer/input"], train.images[sorted(first)])
    assert torch.equal(found["labels"], train.labels[sorted(first)])
    with torch.no_grad():
        torch.testing.assert_close(found["layer/5"], model(train.images[sorted(first)]))


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("seed", SEEDS)
def test_methods_see_the_network_and_the_examples_of_their_regime(results, seed, regime):
    weights = start(results, seed, regime)
    model, train = plain.network(weights), plain.split(results, "train")
    sizes = [weights[name].abs() for name in WEIGHTS]
    name = "activations" if regime == "finetune" else "initial_activations"
    examples = plain.tensors(network_folder(results, seed) / f"dense/{name}.safetensors")

    def stored(method: str, ratio: float = 2) -> list[Any]:
        return list(scores_of(results, (seed, regime, method, ratio)).values())

    for method in ("magnitude", "by_layer"):
        assert all(map(torch.equal, stored(method), sizes))
    draws = torch.Generator().manual_seed(plain.seed_of(seed, "score", f"{plain.NETWORK}/chance"))
    drawn = [torch.rand(w.shape, generator=draws, dtype=torch.float64) for w in sizes]
    assert all(map(torch.equal, stored("chance"), drawn))
    kappa = graphprune.score(model, "curvature", examples["layer/input"], alpha=0.8)
    for found, name in zip(stored("curvature"), WEIGHTS, strict=True):
        torch.testing.assert_close(found, kappa[name], rtol=1e-9, atol=1e-9)
    own = plain.seed_of(seed, "score", f"{plain.NETWORK}/probmask")
    for ratio in RATIOS:
        options = {"sparsity": 1 - 1 / ratio, "seed": own, "epochs": 2}
        learned = graphprune.score(model, "probmask", train.images, train.labels, **options)
        for found, name in zip(stored("probmask", ratio), WEIGHTS, strict=True):
            torch.testing.assert_close(found, learned[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_masks_keep_the_best_scores_of_all_weights_or_of_each_layer(results, unit):
    expected = plain.masks_by(scores_of(results, unit), unit[3], unit[2] == "by_layer")
    found = mask_of(results, unit)
    for name in WEIGHTS:
        assert torch.equal(found[name], expected[name]), name


@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_the_training_after_pruning_is_that_of_the_regime(results, unit):
    seed, regime, method, _ = unit
    masks, folder = mask_of(results, unit), unit_folder(results, *unit)
    model = plain.network(before_tuning(results, unit))
    # an untrained network is trained as the dense one is, a trained one is fine-tuned
    section = TRAIN if regime == "scratch" and method != "probmask" else FINETUNE
    settings = {**section, "epochs": epochs_after(regime, method)}
    train, validation = (plain.split(results, name) for name in ("train", "validation"))
    # one order of the examples for all methods of a network
    losses = plain.train(model, train, settings, plain.seed_of(seed, "finetune"), masks)
    found = plain.finetuned(folder, masks)
    close(found, model.state_dict(), unit)
    history = plain.rows(folder / "history.csv")
    assert [int(row["epoch"]) for row in history] == list(range(1, settings["epochs"] + 1))
    assert [float(row["loss"]) for row in history] == pytest.approx(losses, rel=1e-4)
    measured = plain.accuracy(plain.network(found), validation)
    assert float(history[-1]["accuracy_validation"]) == measured


@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_every_column_of_a_unit_is_worked_out_again(results, unit):
    seed, regime, method, ratio = unit
    folder, masks, test = (
        unit_folder(results, *unit), mask_of(results, unit), plain.split(results, "test")
    )  # fmt: skip
    kept = {name: int(mask.sum()) for name, mask in masks.items()}
    total = 64 * 24 + 24 * 10
    tuned = plain.finetuned(folder, masks)
    history = plain.rows(folder / "history.csv")
    place = folder if method == "probmask" else folder.parent
    report = json.loads((place / "scores.json").read_text())
    small = graphprune.compact(plain.network(tuned), masks, layout="smallest").state_dict()
    expected = {
        "dataset": "digits", "network": "normed", "model": "normed", "seed": seed,
        "regime": regime, "method": method, "compression": float(ratio),
        "sparsity": 1 - sum(kept.values()) / total,
        "params_total": total, "params_kept": total - round((1 - 1 / ratio) * total),
        # a linear layer uses each weight once: a multiplication and an addition
        "flops_total": 2 * total, "flops_kept": 2 * sum(kept.values()),
        "file_size_total": len(bytes_of(tuned)),
        "file_size_kept": len(bytes_of({n: t.contiguous() for n, t in small.items()})),
        "accuracy_dense": plain.accuracy(plain.network(start(results, seed, "finetune")), test),
        "accuracy_pruned": plain.accuracy(plain.network(before_tuning(results, unit)), test),
        "accuracy_finetuned": plain.accuracy(plain.network(tuned), test),
        "epochs": {"finetune": 3 + plain.OWN_EPOCHS.get(method, 0) + 2, "scratch": 5}[regime],
        "seconds_score": report["seconds"],
        "seconds_finetune": sum(float(row["seconds"]) for row in history),
        "report": report["report"],
        "layers": [
            {"layer": name, "density": kept[name] / masks[name].numel(),
             "flops_kept": 2 * kept[name]}
            for name in WEIGHTS
        ],
    }  # fmt: skip
    found = json.loads((folder / "metrics.json").read_text())
    made = found.pop("made")
    assert made["about"]["seed"] == seed
    assert found.keys() == expected.keys()
    for column, value in expected.items():
        if isinstance(value, float):
            assert found[column] == pytest.approx(value, rel=1e-12, abs=1e-12), column
        else:
            assert found[column] == value, column
    assert found["file_size_kept"] < found["file_size_total"]


def times_of(timed):
    """Dense, masked and compact seconds of every timed network and batch size."""
    return [times for by_size in timed.values() for times in by_size.values()]


def test_the_table_holds_the_metrics_of_all_units_and_their_latencies(glue_folder, results):
    table = pd.read_parquet(results / "metrics.parquet")
    assert len(table) == len(UNITS) == 40
    written = pd.read_csv(results / "metrics.csv", float_precision="round_trip")
    assert table.equals(written.astype(table.dtypes))
    indexed = table.set_index(["seed", "regime", "method", "compression"])
    # what the stopwatch gave by the file of masks; only the first seed is timed
    timed = json.loads((glue_folder / "latencies.json").read_text())
    files = plain.rows(network_folder(results, SEEDS[0]) / "latency.csv")
    assert len(files) == len(timed) * 2 == len(UNITS)
    in_file = {
        (r["regime"], r["method"], float(r["compression"]), r["batch_size"]): r for r in files
    }
    for seed, regime, method, ratio in UNITS:
        folder_of = unit_folder(results, seed, regime, method, ratio)
        found = indexed.loc[(seed, regime, method, ratio)]
        metrics = json.loads((folder_of / "metrics.json").read_text())
        for column in table.columns:
            if column in metrics and column not in LABELS:
                assert found[column] == metrics[column], column
        times = timed.get(str(folder_of.relative_to(glue_folder) / "mask.safetensors"))
        assert (times is None) == (seed != SEEDS[0])
        for size in ("1", "64"):
            columns = [f"latency_{size}_{end}" for end in ("total", "kept")]
            if times is None:
                assert all(math.isnan(found[column]) for column in columns)
                continue
            dense, _, compact = times[size]
            assert [found[column] for column in columns] == [dense, compact]
            row = in_file[regime, method, ratio, size]
            assert [float(row[n]) for n in ("dense", "masked", "compact")] == times[size]
            assert row["seed"] == str(seed)
    # a clock may give two networks the same time once, and not each time
    for one, other in itertools.combinations(zip(*times_of(timed), strict=True), 2):
        assert one != other


def test_the_table_of_layers_is_that_of_the_masks(results):
    layers = pd.read_parquet(results / "layers.parquet")
    indexed = layers.set_index(["seed", "regime", "method", "compression", "layer"])
    assert len(layers) == 2 * len(UNITS)
    for unit in UNITS:
        for name, mask in mask_of(results, unit).items():
            row = indexed.loc[(*unit, name)]
            assert row.density == pytest.approx(float(mask.double().mean()))
            assert row.flops_kept == 2 * int(mask.sum())


@pytest.mark.parametrize("seed", SEEDS)
def test_removal_curves_are_of_the_trained_network_on_the_test_split(results, seed):
    weights, test = start(results, seed, "finetune"), plain.split(results, "test")
    kappa = scores_of(results, (seed, "finetune", "curvature", 2))
    draws = torch.Generator().manual_seed(plain.seed_of(seed, "removal"))
    scores = {
        "most positive first": kappa,
        "most negative first": {name: -score for name, score in kappa.items()},
        "magnitude": {name: weights[name].abs() for name in WEIGHTS},
        "random": {
            name: torch.rand(weights[name].shape, generator=draws, dtype=torch.float64)
            for name in WEIGHTS
        },
    }
    rows = plain.rows(network_folder(results, seed) / "finetune/curvature/removal.csv")
    assert [(row["order"], float(row["removed"])) for row in rows] == [
        (order, step / 20) for order in scores for step in range(20)
    ]
    for row in rows:
        share = float(row["removed"])
        masks = plain.masks_by(scores[row["order"]], 1 / (1 - share), by_layer=False)
        expected = plain.accuracy(plain.network(plain.pruned(weights, masks)), test)
        assert float(row["accuracy"]) == pytest.approx(expected), row
        assert row["seed"] == str(seed)
