"""The real Snakefile on the tiny preset, from start to end, and what it does with bad input."""

import json
import platform
from pathlib import Path

import pandas as pd
import pytest
import torch
from benchmark_scripts import benchmark
from mlflow import MlflowClient
from workflow_runs import preset, snakemake

from graphprune.models import networks, pruned


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    """A folder in which the tiny preset has run; its results folder."""
    folder = tmp_path_factory.mktemp("tiny")
    config = preset(root, folder, results="out")
    environment = {"MLFLOW_TRACKING_URI": ""}
    run = snakemake(root, folder, "--cores", "2", "--configfile", config, environment=environment)
    assert run.returncode == 0, run.stderr[-4000:]
    return folder / "out"


def test_a_row_for_every_unit(finished):
    table = pd.read_parquet(finished / "metrics.parquet")
    assert len(table) == (5 + 2) * 2
    assert not table.duplicated(
        ["dataset", "model", "seed", "regime", "method", "compression"]
    ).any()
    assert table.equals(
        pd.read_csv(finished / "metrics.csv", float_precision="round_trip").astype(table.dtypes)
    )
    exact = table[table.method != "rgp"]
    kept = (exact.params_total - (exact.params_total * (1 - 1 / exact.compression)).round()).astype(
        int
    )
    assert (exact.params_kept == kept).all()
    assert (table.sparsity - (1 - table.params_kept / table.params_total)).abs().max() < 1e-12
    for column in ("accuracy_dense", "accuracy_pruned", "accuracy_finetuned"):
        assert table[column].between(0, 1).all()
    # what a trained network and its half must reach, far above chance
    assert table.accuracy_dense.min() > 0.5
    assert table[table.method == "magnitude"].accuracy_finetuned.max() > 0.8


def test_masks_are_held_through_fine_tuning(finished):
    for path in finished.glob("*/*/seed0/*/*/x*/mask.safetensors"):
        masks = pruned.read(path)
        model, _ = networks.load(path.with_name("finetuned.safetensors"))
        weights = model.state_dict()
        for name, mask in masks.items():
            assert (weights[name][~mask] == 0.0).all(), path


def test_metrics_agree_with_the_files_they_describe(finished):
    path = finished / "mnist5k/lenet5/seed0/finetune/curvature/x8"
    metrics = json.loads((path / "metrics.json").read_text())
    masks = pruned.read(path / "mask.safetensors")
    assert metrics["params_kept"] == sum(int(mask.sum()) for mask in masks.values())
    dense = finished / "mnist5k/lenet5/seed0/dense/checkpoint.safetensors"
    network, _ = networks.load_pruned(dense, path / "mask.safetensors")
    alive = sum(int(torch.count_nonzero(network.state_dict()[name])) for name in masks)
    assert alive <= metrics["params_kept"]


def runs_of(finished):
    client = MlflowClient(f"sqlite:///{finished}/mlflow.db")
    experiment = client.get_experiment_by_name("tiny")
    found = client.search_runs([experiment.experiment_id], max_results=1000)
    return client, {run.data.tags["graphprune.unit"]: run for run in found}


def test_every_unit_is_one_run_below_its_dense_network(finished):
    client, runs = runs_of(finished)
    table = pd.read_parquet(finished / "metrics.parquet")
    assert len(runs) == len(table) + 1 + 1
    for row in table.itertuples():
        dense = f"{row.dataset}/{row.model}/seed{row.seed}"
        run = runs[f"{dense}/{row.regime}/{row.method}/x{row.compression:g}"]
        assert run.data.metrics["accuracy_finetuned"] == row.accuracy_finetuned
        assert run.data.tags["mlflow.parentRunId"] == runs[dense].info.run_id
        assert run.data.params["finetune/epochs"] == "1"
        assert len(run.data.tags["commit"]) in (7, 40)
        assert run.data.tags["host"] == platform.node()
        assert run.info.status == "FINISHED"
    unit = runs["mnist5k/lenet5/seed0/finetune/probmask/x8"].info.run_id
    history = client.get_metric_history(unit, "finetune/loss")
    path = finished / "mnist5k/lenet5/seed0/finetune/probmask/x8/history.csv"
    written = pd.read_csv(path, float_precision="round_trip")
    assert [point.value for point in history] == written.loss.tolist()
    assert {file.path for file in client.list_artifacts(unit)} == {"model"}
    names = {file.path for file in client.list_artifacts(unit, "model/data")}
    assert names == {f"model/data/{name}.safetensors" for name in ("finetuned", "mask")}
    dense = runs["mnist5k/lenet5/seed0"].info.run_id
    names = {file.path for file in client.list_artifacts(dense, "dense")}
    assert names >= {"dense/activations.safetensors", "dense/graph.gt.zst", "dense/history.csv"}
    names = {file.path for file in client.list_artifacts(dense, "logs/train")}
    assert names == {"logs/train/mnist5k-lenet5-seed0.log"}
    names = {file.path for file in client.list_artifacts(dense, "comparison")}
    assert {"comparison/summary.html", "comparison/metrics.csv"} <= names
    figures = client.list_artifacts(runs["comparison"].info.run_id, "figures")
    assert any(file.path.endswith("accuracy_finetuned.png") for file in figures)


def test_recording_again_updates_the_same_runs(root, finished):
    _, before = runs_of(finished)
    target = "out/tracking/mnist5k-lenet5-seed0.json"
    arguments = ["--cores", "1", "--configfile", str(finished.parent / "config.yaml")]
    again = snakemake(root, finished.parent, *arguments, "--force", "--", target)
    assert again.returncode == 0, again.stderr[-4000:]
    _, after = runs_of(finished)
    assert {unit: run.info.run_id for unit, run in after.items()} == {
        unit: run.info.run_id for unit, run in before.items()
    }


def test_graph_carries_its_properties(finished):
    import graph_tool

    dense = finished / "mnist5k/lenet5/seed0/dense"
    graph = graph_tool.load_graph(str(dense / "graph.gt.zst"))
    summary = json.loads((dense / "graph.json").read_text())
    # a pooled vertex sees 6 x 6 positions of every channel below
    convolutions = 6 * 12 * 12 * 36 + 16 * 4 * 4 * 6 * 36
    assert graph.num_edges() == summary["edges"] == convolutions + 256 * 120 + 120 * 84 + 84 * 10
    assert graph.num_vertices() == summary["vertices"] == 784 + 864 + 256 + 120 + 84 + 10
    properties = graph.edge_properties
    assert set(properties) == {"weight", "length", "layer", "curvature"}
    product = abs(properties["weight"].a) * properties["length"].a
    assert abs(product - 1).max() < 1e-12
    assert properties["curvature"].a.max() <= 2


def test_every_figure_is_there_and_the_report_is_made(root, finished):
    names = {path.name for path in (finished / "figures").glob("*.png")}
    assert {"accuracy_finetuned.png", "removal-curvature-mnist5k-lenet5.png"} <= names
    assert names == {f"{path.stem}.png" for path in (finished / "figures").glob("*.svg")}
    config = str(finished.parent / "config.yaml")
    report = finished.parent / "report.html"
    made = snakemake(root, finished.parent, "--configfile", config, "--report", str(report))
    assert made.returncode == 0, made.stderr[-4000:]
    assert "after fine-tuning" in report.read_text()


def test_every_unit_keeps_its_budget_of_bytes_and_files(root, finished):
    units = benchmark(root, "artifacts").units(finished)
    assert len(units) == 14
    for unit in units:
        names = {path.name for path in Path(unit.paths.folder).iterdir()}
        report = {"scores.json"} & names
        assert names == {"mask.safetensors", "finetuned.safetensors", "history.csv",
                         "metrics.json"} | report  # fmt: skip
        # MLflow's description, and links to mask and weights
        assert len(unit.files) - len(unit.inodes) == 2
        # the two ratios share a log, which MLflow has a copy of
        assert unit.logs[0] == 1
        assert unit.rows > 50
        # the bound by hand, from the masks; LeNet-5 has 236 biases
        masks = pruned.read(unit.paths.mask)
        prunable = sum(mask.numel() for mask in masks.values())
        kept = sum(int(mask.sum()) for mask in masks.values())
        twice = 2 if unit.paths.method == "probmask" else 1
        bound = 1.2 * (prunable / 8 + 4 * kept * twice + 4 * 236) + 64_000
        assert unit.bound == pytest.approx(bound)
        assert unit.bytes <= bound
        assert unit.names <= 10


def test_a_figure_of_a_unit_is_drawn_where_it_is_asked_for(root, finished):
    target = "out/mnist5k/lenet5/seed0/finetune/magnitude/x8/figure.png"
    arguments = ["--cores", "1", "--configfile", str(finished.parent / "config.yaml")]
    run = snakemake(root, finished.parent, *arguments, "--", target)
    assert run.returncode == 0, run.stderr[-4000:]
    drawn = finished.parent / target
    assert drawn.read_bytes().startswith(b"\x89PNG")
    drawn.unlink()


def test_nothing_is_left_to_do(root, finished):
    config = str(finished.parent / "config.yaml")
    again = snakemake(root, finished.parent, "--configfile", config, "--dry-run")
    assert "Nothing to be done" in again.stdout + again.stderr


@pytest.mark.parametrize(("together", "records"), [(5, {"track": 2}), (1, {"track_seed0": 2})])
def test_the_demo_plans_every_unit_of_every_network_and_seed(root, tmp_path, together, records):
    changed = ["--configfile", str(root / "config.yaml"), "--config", f"results={tmp_path / 'out'}"]
    plan = snakemake(root, tmp_path, "-n", *changed, f"compressions_per_job={together}")
    assert plan.returncode == 0, plan.stderr
    rows = [line.split() for line in plan.stdout.splitlines()]
    jobs = {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
    ratios, networks, seeds, methods = 5, 2, 3, 5
    units = sum(count for rule, count in jobs.items() if rule.startswith("evaluate"))
    assert units * together == ratios * networks * seeds * methods
    assert jobs["train"] == networks * seeds
    assert jobs["latency"] == networks
    assert {rule: jobs[rule] for rule in records} == records


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"methods": {"curvatur": {}}}, "methods.curvatur: method is 'curvatur'; allowed:"),
        ({"compresions": [2]}, "compresions is [2]; allowed keys here:"),
        ({"compressions": [0.5]}, "compressions[0] is 0.5; allowed: >= 1"),
        (
            {"networks": [{"dataset": "digits", "model": "lenet5"}]},
            "networks[0].model on dataset digits:",
        ),
    ],
)
def test_a_bad_configuration_ends_in_one_line_and_writes_nothing(root, tmp_path, changes, sentence):
    config = preset(root, tmp_path, results="out", **changes)
    run = snakemake(root, tmp_path, "--cores", "1", "--configfile", config)
    assert run.returncode != 0
    lines = [line for line in (run.stdout + run.stderr).splitlines() if sentence in line]
    assert len(lines) == 1
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "out").exists()


def test_a_damaged_checkpoint_is_refused_by_name(root, tmp_path):
    copied = tmp_path / "out"
    checkpoint = copied / "mnist5k/lenet5/seed0/dense/checkpoint.safetensors"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"not a checkpoint")
    config = preset(root, tmp_path, results="out")
    target = "out/mnist5k/lenet5/seed0/finetune/magnitude/scores.safetensors"
    arguments = ["--cores", "1", "--configfile", config, "--allowed-rules", "score"]
    run = snakemake(root, tmp_path, *arguments, "--", target)
    assert run.returncode != 0
    assert "checkpoint.safetensors: damaged or not a safetensors file" in run.stdout + run.stderr
    assert not (tmp_path / target).exists()
