"""Units and latencies that do not belong together never make a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from comparison.comparison_files import (
    LATENCY,
    UNIT,
    changed,
    write_metrics,
    write_table,
)

from graphprune.comparison import tables
from graphprune.errors import UserError

OTHER_LAYERS = [{**layer, "layer": f"other.{layer['layer']}"} for layer in UNIT["layers"]]


def refusal(folder: Path, *rows: dict[str, Any]) -> str:
    paths = [write_metrics(folder / f"{n}.json", row) for n, row in enumerate((UNIT, *rows))]
    with pytest.raises(UserError) as caught:
        tables.tables(paths)
    assert str(caught.value).isprintable()
    return str(caught.value).replace(f"{folder}/", "")


def test_a_unit_stands_once(tmp_path):
    sentence = "1.json: holds the same unit as 0.json; each is allowed once"
    assert refusal(tmp_path, changed(accuracy_pruned=0.25)) == sentence
    with pytest.raises(UserError, match="no metrics of a unit"):
        tables.tables([])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"accuracy_dense": 0.91}, "accuracy_dense is 0.91; expected 0.9 as in 0.json, a unit of "
         "the same seed"),
        ({"params_total": 200, "sparsity": 0.75}, "params_total is 200; expected 100 as in 0.json, "
         "a unit of the same network"),
        ({"flops_total": 201}, "flops_total is 201; expected 200"),
        ({"file_size_total": 901}, "file_size_total is 901; expected 900"),
        ({"model": "mlp5"}, "model is 'mlp5'; expected 'mlp'"),
        ({"layers": OTHER_LAYERS}, "layers is ['other.fc1.weight', 'other.fc2.weight']; expected"),
    ],
)  # fmt: skip
def test_units_of_a_network_agree(tmp_path, changes, sentence):
    assert refusal(tmp_path, changed(method="rgp", **changes)).startswith(f"1.json: {sentence}")


def test_networks_and_seeds_may_differ(tmp_path):
    rows = [UNIT, changed(seed=1, accuracy_dense=0.8), changed(network="wide", flops_total=300)]
    paths = [write_metrics(tmp_path / f"{n}.json", row) for n, row in enumerate(rows)]
    units, _ = tables.tables(paths)
    assert units.accuracy_dense.tolist() == [0.9, 0.8, 0.9]
    assert units.flops_total.tolist() == [200, 200, 300]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([*LATENCY, {**LATENCY[0], "method": "rgp"}], "none of the units compared"),
        ([{**row, "seed": 1} for row in LATENCY], "none of the units compared"),
        ([{**row, "model": "mlp5"} for row in LATENCY], "none of the units compared"),
        ([{**row, "method": "a\x05b"} for row in LATENCY], "a\\x05b/2.0', which is none"),
        (
            [*LATENCY, LATENCY[1]],
            "times digits/mlp/0/finetune/magnitude/2.0 twice at a batch of 64",
        ),
        (LATENCY[:1], "lacks digits/mlp/0/finetune/magnitude/2.0 at a batch of 1 and 64"),
        ([{**LATENCY[0], "batch_size": 2}], "batch_size is 2; allowed: 1 and 64"),
        ([{**LATENCY[0], "dense": 0}], "line 2: not the latencies of a network: dense is '0'"),
        ([{**LATENCY[0], "compact": "inf"}], "compact is 'inf'; allowed: a finite number"),
        ([{"seed": 1}], "key dataset is missing"),
    ],
)
def test_latencies_are_those_of_the_units(tmp_path, rows, sentence):
    unit = write_metrics(tmp_path / "0.json", UNIT)
    path = write_table(tmp_path / "latency.csv", rows)
    with pytest.raises(UserError) as caught:
        tables.tables([unit], [path])
    assert str(caught.value).startswith(f"{path}: ")
    assert sentence in str(caught.value)


def test_a_timed_seed_is_timed_whole(tmp_path):
    rows = [UNIT, changed(method="rgp"), changed(seed=1)]
    paths = [write_metrics(tmp_path / f"{n}.json", row) for n, row in enumerate(rows)]
    path = write_table(tmp_path / "latency.csv", LATENCY)
    with pytest.raises(UserError, match=r"lacks digits/mlp/0/finetune/rgp/2\.0"):
        tables.tables(paths, [path])
    units, _ = tables.tables([paths[0], paths[2]], [path])
    assert units.latency_64_total.dropna().tolist() == [32.0]
