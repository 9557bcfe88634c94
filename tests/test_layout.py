"""The layout of the results: paths as documented, and a unit known again from each of them."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphprune.errors import UserError
from graphprune.layout import (
    MethodPaths,
    NetworkPaths,
    ResultPaths,
    UnitPaths,
    network_of,
    ratio_text,
)

ROOT = Path(__file__).resolve().parents[1]
UNIT = UnitPaths("results", "digits", "mlp", 0, "finetune", "magnitude", 8)
OF_NETWORK = "results/digits/mlp/seed0"
OF_METHOD = f"{OF_NETWORK}/finetune/magnitude"
OF_UNIT = f"{OF_METHOD}/x8"

LITERAL = {
    "marker": "results/.graphprune-results",
    "units_table": "results/metrics.parquet",
    "units_csv": "results/metrics.csv",
    "layers_table": "results/layers.parquet",
    "summary": "results/summary.html",
    "report": "results/report.html",
    "live": "results/live",
    "configuration": "results/config.json",
    "batches": "results/.batches.json",
    "left_out": "results/left_out.json",
    "database": "results/mlflow.db",
    "figures": "results/figures",
    "aspl": "results/rgp_aspl",
    "network_folder": OF_NETWORK,
    "dense_folder": f"{OF_NETWORK}/dense",
    "initial": f"{OF_NETWORK}/dense/initial.safetensors",
    "checkpoint": f"{OF_NETWORK}/dense/checkpoint.safetensors",
    "dense_history": f"{OF_NETWORK}/dense/history.csv",
    "activations": f"{OF_NETWORK}/dense/activations.safetensors",
    "initial_activations": f"{OF_NETWORK}/dense/initial_activations.safetensors",
    "graph_summary": f"{OF_NETWORK}/dense/graph.json",
    "graph": f"{OF_NETWORK}/dense/graph.gt.zst",
    "latency": f"{OF_NETWORK}/latency.csv",
    "method_folder": OF_METHOD,
    "ranking": f"{OF_METHOD}/scores.safetensors",
    "ranking_report": f"{OF_METHOD}/scores.json",
    "removal": f"{OF_METHOD}/removal.csv",
    "folder": OF_UNIT,
    "scores": f"{OF_UNIT}/scores.safetensors",
    "mask": f"{OF_UNIT}/mask.safetensors",
    "scores_report": f"{OF_UNIT}/scores.json",
    "finetuned": f"{OF_UNIT}/finetuned.safetensors",
    "history": f"{OF_UNIT}/history.csv",
    "metrics": f"{OF_UNIT}/metrics.json",
    "unit_figure": f"{OF_UNIT}/figure.png",
    # these are no paths
    "id": "digits/mlp/seed0/finetune/magnitude/x8",
    "network_id": "digits/mlp/seed0",
    "job": "digits-mlp-seed0-finetune-magnitude-x8",
    "method_job": "digits-mlp-seed0-finetune-magnitude",
    "ratio": "x8",
}


def properties(cls: type) -> set[str]:
    return {
        name for one in cls.__mro__ for name, value in vars(one).items()
        if isinstance(value, property)
    }  # fmt: skip


def test_every_place_is_where_it_is_documented() -> None:
    assert {name: getattr(UNIT, name) for name in properties(UnitPaths)} == LITERAL


def test_places_with_a_name() -> None:
    assert UNIT.dataset("mnist") == "results/data/mnist.safetensors"
    assert UNIT.figure("cost") == "results/figures/cost.png"
    assert UNIT.figure("cost", "svg") == "results/figures/cost.svg"
    assert UNIT.record("store") == "results/tracking/store.json"
    assert UNIT.log("train") == "results/logs/train.log"
    assert UNIT.log("train", "a-b") == "results/logs/train/a-b.log"
    assert UNIT.benchmark("train") == "results/benchmarks/train.tsv"
    assert UNIT.benchmark("train", "a-b") == "results/benchmarks/train/a-b.tsv"
    assert UNIT.made("results/figures/cost.png") == "results/made/figures/cost.png.json"
    assert UNIT.part(3) == f"{OF_METHOD}/parts/3.safetensors"


def test_a_network_and_a_method_are_called_by_their_folders() -> None:
    network = NetworkPaths("r", "digits", "mlp", 3)
    assert (network.id, network.job) == ("digits/mlp/seed3", "digits-mlp-seed3")
    method = MethodPaths("r", "digits", "mlp", 3, "scratch", "rgp")
    assert method.id == "digits/mlp/seed3/scratch/rgp"
    assert network_of(UNIT.id) == network_of(OF_METHOD[8:]) == UNIT.network_id
    assert network_of(network.id) == network.id


def test_the_readme_names_the_folder_of_a_unit() -> None:
    assert f"`{UnitPaths('results').folder}/`" in (ROOT / "README.md").read_text()


def test_a_unit_s_network_lies_where_the_network_alone_does() -> None:
    """A unit inherits the places of its network and method; none of them moves."""
    network = NetworkPaths("results", "digits", "mlp", 0)
    method = MethodPaths("results", "digits", "mlp", 0, "finetune", "magnitude")
    for paths in (ResultPaths("results"), network, method):
        for name in properties(type(paths)) - {"id", "job"}:
            assert getattr(paths, name) == getattr(UNIT, name), name


names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
ratios = st.one_of(
    st.integers(1, 10**12), st.floats(1, 1e12), st.sampled_from([1, 1.0000001, 1234567.8, 1e12])
)
units = st.builds(
    UnitPaths,
    st.sampled_from(["results", "../r", "/tmp/a b", "a/b/c", "x8/seed0/y"]),
    names,
    names,
    st.integers(0, 2**32 - 1),
    st.sampled_from(["finetune", "scratch"]),
    names,
    ratios,
)
IN_A_UNIT = [name for name, path in LITERAL.items() if path.startswith(OF_UNIT)]


@settings(max_examples=100, deadline=None)
@given(units)
def test_a_unit_is_known_again_from_every_file_of_it(unit: UnitPaths) -> None:
    assert len(IN_A_UNIT) == 8
    for name in IN_A_UNIT:
        assert UnitPaths.of(unit.results, getattr(unit, name)) == unit
        assert UnitPaths.of(Path(unit.results), Path(getattr(unit, name))) == unit
    assert UnitPaths.of(unit.results, f"{unit.folder}/anything/below.txt") == unit


@settings(max_examples=100, deadline=None)
@given(units)
def test_patterns_format_to_the_paths(unit: UnitPaths) -> None:
    """Snakemake fills the wildcards of the rules; what it gets is what the scripts write."""
    wildcards = {
        "dataset": unit.dataset_name,
        "network": unit.network,
        "seed": unit.seed,
        "regime": unit.regime,
        "method": unit.method,
        "compression": ratio_text(unit.compression),
    }
    pattern = UnitPaths(unit.results)
    for name in properties(UnitPaths):
        assert getattr(pattern, name).format(**wildcards) == getattr(unit, name)
    assert pattern.part().format(**wildcards, part=4) == unit.part(4)
    assert pattern.dataset().format(**wildcards) == unit.dataset(unit.dataset_name)


def test_open_wildcards_are_the_names_of_the_fields() -> None:
    given = set(re.findall(r"{(\w+)}", UnitPaths("r").part()))
    given |= set(re.findall(r"{(\w+)}", UnitPaths("r").mask))
    assert given == {"dataset", "network", "seed", "regime", "method", "compression", "part"}
    assert [field.name for field in fields(UnitPaths)][1] == "dataset_name"


@pytest.mark.parametrize(
    "path",
    [
        "results",
        "results/metrics.csv",
        "results/data/digits.safetensors",
        "results/digits/mlp/seed0/dense/checkpoint.safetensors",
        "results/digits/mlp/seed0/finetune/rgp/scores.safetensors",
        "results/digits/mlp/seed0/finetune/rgp/parts/1.safetensors",
        "results/digits/mlp/0/finetune/rgp/x8/mask.safetensors",
        "results/digits/mlp/seed/finetune/rgp/x8/mask.safetensors",
        "results/digits/mlp/seed0/finetune/rgp/x/mask.safetensors",
        "results/digits/mlp/seed0/finetune/rgp/x8.5.1/mask.safetensors",
        "other/digits/mlp/seed0/finetune/rgp/x8/mask.safetensors",
        "/results/digits/mlp/seed0/finetune/rgp/x8/mask.safetensors",
        "",
    ],
)
def test_a_path_outside_of_a_unit_is_refused(path: str) -> None:
    with pytest.raises(UserError, match=r"lies in the folder of no unit of results") as caught:
        UnitPaths.of("results", path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (1, "1"),
        (8.0, "8"),
        (2.5, "2.5"),
        (1.0000001, "1.0000001"),
        (1234567.8, "1234567.8"),
        (10**12, "1000000000000"),
        (1e22, "10000000000000000000000"),
        ("8", "8"),
        ("{compression}", "{compression}"),
    ],
)
def test_ratios_as_text(ratio: Any, text: str) -> None:
    assert ratio_text(ratio) == text


@settings(max_examples=300, deadline=None)
@given(ratios)
def test_a_ratio_keeps_all_its_digits(ratio: float) -> None:
    text = ratio_text(ratio)
    assert float(text) == float(ratio)
    # as Snakemake's wildcard, as a folder and on a command line
    assert re.fullmatch(r"\d+(\.\d+)?", text)
    assert ratio_text(text) == ratio_text(float(text)) == text


@settings(max_examples=200, deadline=None)
@given(st.lists(ratios, min_size=2, max_size=6, unique_by=float))
def test_two_ratios_have_two_folders(several: list[float]) -> None:
    folders = {UnitPaths("r", compression=ratio).ratio for ratio in several}
    assert len(folders) == len(several)
