"""A unit's metrics are checked where they are made: each lie in its files is refused by name."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from comparison.comparison_files import HISTORY, changed, write_table

from graphprune import checkpoints
from graphprune.comparison import columns, unit
from graphprune.data import Split
from graphprune.errors import UserError
from graphprune.masks import apply, prunable, prune
from graphprune.methods import results
from graphprune.models import networks, pruned
from graphprune.plugins import only_plugins

IDENTITY = networks.Identity("digits", "mlp", (1, 2, 2), 3, 0, "small", {"hidden": [5]})
TOTAL = 4 * 5 + 5 * 3
RATIO = 4.0


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """What `unit_metrics` is given of a unit of three epochs."""
    return unit_files(tmp_path, IDENTITY)


def unit_files(tmp_path: Path, identity: networks.Identity) -> dict[str, Any]:
    model = identity.build()
    start, mask, finetuned = (
        str(tmp_path / f"{name}.safetensors") for name in ("start", "mask", "finetuned")
    )
    networks.save(start, model.state_dict(), identity)
    weights = {n: w.detach().abs() for n, w in prunable(model).items()}
    masks = prune(weights, 1 - 1 / RATIO)
    pruned.save(mask, masks)
    apply(model, masks)
    networks.save(finetuned, model.state_dict(), identity, None, mask)
    report = tmp_path / "scores.json"
    results.save_report(report, results.Report("magnitude", {}, 0.25))
    return {
        "identity": identity, "regime": "finetune", "train_epochs": 7, "finetune_epochs": 3,
        "method": "mine", "compression": RATIO, "dense_accuracy": 0.5, "report": str(report),
        "test": Split(torch.rand(6, 1, 2, 2), torch.arange(6) % 3), "start": start, "mask": mask,
        "finetuned": finetuned,
        "history": str(write_table(tmp_path / "history.csv", HISTORY)),
    }  # fmt: skip


ATTENDING = """
from torch import nn
import graphprune

class Attending(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.last = nn.Linear(4, classes)

    def forward(self, x):
        x = x.flatten(1)[:, None]
        return self.last(self.attention(x, x, x)[0][:, 0])

@graphprune.register_model("attending")
def attending(input_shape, num_classes):
    return Attending(num_classes)
"""


def test_a_unit_of_a_network_with_attention(tmp_path: Path) -> None:
    """Query, key and value are three layers of one masked tensor."""
    path = tmp_path / "attending.py"
    path.write_text(ATTENDING)
    with only_plugins([path]):
        identity = networks.Identity("digits", "attending", (1, 2, 2), 3, 0)
        row = unit.unit_metrics(**unit_files(tmp_path, identity))
    assert row["params_total"] == 4 * 16 + 4 * 3
    assert {layer["layer"] for layer in row["layers"]} == {
        *(f"attention.in_proj_weight.{part}" for part in ("query", "key", "value")),
        *("attention.out_proj.weight", "last.weight"),
    }


def refusal(files: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        unit.unit_metrics(**files)
    message = str(caught.value).replace(str(Path(files["mask"]).parent) + "/", "")
    assert message.isprintable()
    return message


def test_a_whole_unit_is_accepted(files):
    row = unit.unit_metrics(**files)
    assert row["epochs"] == 7 + 3
    assert row["params_kept"] == TOTAL - round(0.75 * TOTAL)
    assert row["sparsity"] == 1 - row["params_kept"] / TOTAL
    assert row["seconds_finetune"] == 1.5
    # in scratch the three epochs are all that was planned
    scratch = {**files, "regime": "scratch", "train_epochs": 1, "finetune_epochs": 2}
    assert unit.unit_metrics(**scratch)["epochs"] == 3


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"finetune_epochs": 2}, "history.csv: holds 3 epochs; expected the 2 planned"),
        ({"regime": "scratch"}, "history.csv: holds 3 epochs; expected the 10 planned"),
        ({"dense_accuracy": 7.0}, "accuracy_dense is 7.0; allowed: <= 1"),
        ({"dense_accuracy": float("nan")}, "accuracy_dense is nan; allowed: a finite number"),
        ({"compression": 2.0}, f"params_kept is 9 of {TOTAL}; expected 17 at compression 2"),
        ({"identity": networks.Identity("digits", "mlp", (1, 2, 2), 3, 1, "small",
                                        {"hidden": [5]})},
         "start.safetensors: holds digits/small (mlp) of seed 0; expected digits/small (mlp) of "
         "seed 1"),
    ],
)  # fmt: skip
def test_numbers_that_cannot_be_are_refused(files, changes, sentence):
    assert sentence in refusal({**files, **changes})


def test_an_empty_or_cut_history_is_refused(files):
    path = Path(files["history"])
    whole = path.read_bytes()
    path.write_bytes(b"")
    assert refusal(files).startswith("history.csv: cannot be read")
    path.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])
    assert refusal(files) == "history.csv: holds 2 epochs; expected the 3 planned"


def test_a_fine_tuned_network_of_another_seed_is_refused(files):
    other = networks.Identity("digits", "mlp", (1, 2, 2), 3, 9, "small", {"hidden": [5]})
    weights = networks.load(files["finetuned"])[0].state_dict()
    networks.save(files["finetuned"], weights, other, None, files["mask"])
    assert refusal(files).startswith("finetuned.safetensors: holds digits/small (mlp) of seed 9")


def test_weights_outside_the_mask_are_refused_where_a_network_is_saved(files):
    model, _ = networks.load(files["finetuned"])
    weights = model.state_dict()
    name, mask = next(iter(pruned.read(files["mask"]).items()))
    weights[name][~mask] = 1e-30
    with pytest.raises(
        UserError,
        match=rf"finetuned\.safetensors: {name} has \d+ weights outside its mask that are not",
    ):
        networks.save(files["finetuned"], weights, IDENTITY, None, files["mask"])


def test_loading_gives_zeros_outside_the_mask(files):
    masks = pruned.read(files["mask"])
    for model, _ in (
        networks.load(files["finetuned"]),
        networks.load_pruned(files["start"], files["mask"]),
    ):
        weights = model.state_dict()
        for name, mask in masks.items():
            assert (weights[name][~mask] == 0.0).all()
            assert (weights[name][mask] != 0.0).all()


def broken(monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[Any], None]) -> None:
    """Let ``networks.<name>`` give networks with weights that ``change`` has changed."""
    load = getattr(networks, name)

    def loaded(*arguments: Any) -> Any:
        model, identity = load(*arguments)
        with torch.no_grad():
            change(model.state_dict())
        return model, identity

    monkeypatch.setattr(networks, name, loaded)


@pytest.mark.parametrize("name", ["load", "load_pruned"])
def test_loaded_networks_are_checked(files, monkeypatch, name):
    broken(monkeypatch, name, lambda weights: weights["fc1.weight"].fill_(1.0))
    assert "fc1.weight has " in refusal(files)
    assert "weights outside its mask that are not 0" in refusal(files)


def test_weights_that_are_not_finite_are_refused(files):
    tensors, record = checkpoints.load(files["finetuned"], "checkpoint")
    tensors["fc2.bias"][0] = float("nan")
    kept = {key: record[key] for key in ("network", "mask", "aliases")}
    checkpoints.save(files["finetuned"], tensors, "checkpoint", kept)
    assert refusal(files).startswith("finetuned.safetensors: fc2.bias is not finite")


def test_a_mask_of_some_layers_is_refused(files):
    masks = pruned.read(files["mask"])
    del masks["fc2.weight"]
    pruned.save(files["mask"], masks)
    weights = networks.load(files["start"])[0].state_dict()
    weights["fc1.weight"][~masks["fc1.weight"]] = 0.0
    networks.save(files["finetuned"], weights, IDENTITY, None, files["mask"])
    assert refusal(files).startswith("mask.safetensors: is of other layers than the network's")


def test_a_method_that_decides_its_mask_may_keep_what_it_likes(files):
    results.save_report(files["report"], results.Report("rgp", {}, 0.25))
    assert unit.unit_metrics(**{**files, "compression": 2.0})["params_kept"] == 9


def test_numbers_are_checked_against_one_another():
    good = changed()
    assert columns.check_unit(good, 50, "here") == good
    for changes, removed, sentence in (
        ({}, 49, "here: params_kept is 50 of 100; expected 51 at compression 2"),
        ({"sparsity": 0.5 + 1e-6}, 50, "here: sparsity is 0.500001; expected 1 - params_kept"),
        ({"flops_kept": 300}, 50, "here: flops_kept is 300; allowed: <= flops_total"),
        ({"file_size_total": 0}, 50, "here: file_size_total is 0; allowed: >= 1"),
        ({"epochs": -1}, 50, "here: epochs is -1; allowed: >= 0"),
    ):
        with pytest.raises(UserError) as caught:
            columns.check_unit({**good, **changes}, removed, "here")
        assert str(caught.value).startswith(sentence)


def test_the_columns_of_a_history_are_those_that_a_training_writes(tmp_path):
    from two_blobs import examples, network

    from graphprune.comparison import reading
    from graphprune.files import write_csv
    from graphprune.training import loop

    blobs = examples()
    for epochs in (0, 2):
        rows = loop.train(network(), blobs, loop.Settings(epochs, 16), validation=blobs)
        write_csv(tmp_path / "history.csv", rows)
        assert reading.history(tmp_path / "history.csv", epochs) == rows
    with (tmp_path / "history.csv").open(newline="") as stream:
        assert list(csv.DictReader(stream).fieldnames or []) == list(
            columns.HistoryRow.model_fields
        )
