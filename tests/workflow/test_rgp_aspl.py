"""The workflow's target rgp_aspl: default settings, tables, figure, record."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from workflow_runs import preset, snakemake

from graphprune import models
from graphprune.masks import prunable
from graphprune.regular_graphs import aspl, aspl_accuracy_correlation
from graphprune.regular_graphs.trials import load_graphs

SMALL = {"dataset": "digits", "model": "mlp", "nodes": 16, "degree": 3, "graphs": 3}


def test_default_settings_fit_each_other():
    from graphprune.configuration.complete import complete

    config = complete(
        {
            "networks": [{"dataset": "digits", "model": "mlp"}],
            "seeds": [0],
            "compressions": [2],
            "methods": {"random": {}},
        }
    )["rgp_aspl"]
    assert config["nodes"] * config["degree"] % 2 == 0
    assert config["graphs"] >= 12
    assert len(config["seeds"]) >= 5
    model = models.build(config["model"], (1, 28, 28), 10)
    widths = [min(weight.shape[:2]) for weight in prunable(model).values()]
    assert sum(width >= config["nodes"] for width in widths) >= 3


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("aspl")
    training = {"epochs": 6, "batch_size": 32, "learning_rate": 0.1}
    experiment = {**SMALL, "evaluations": 500, "seeds": [5, 6], "train": training}
    # another dataset than the comparison's
    networks = [{"dataset": "mnist5k", "model": "lenet5"}]
    config = preset(root, folder, results="out", networks=networks, rgp_aspl=experiment)
    arguments = ["--configfile", config, "--cores", "2", "rgp_aspl"]
    run = snakemake(root, folder, *arguments, environment={"MLFLOW_TRACKING_URI": ""})
    assert run.returncode == 0, run.stderr[-4000:]
    return folder / "out" / "rgp_aspl"


def test_target_makes_tables_that_agree(finished):
    table = pd.read_csv(finished / "runs.csv", float_precision="round_trip")
    assert table.groupby("graph").seed.apply(list).tolist() == [[5, 6]] * 3
    graphs = load_graphs(finished / "graphs.safetensors")
    lengths = [aspl(graph) for graph in graphs]
    assert table.groupby("graph").aspl.first().tolist() == pytest.approx(lengths)
    assert lengths[0] < lengths[-1]
    assert all(graph.sum(1).tolist() == [3] * 16 for graph in graphs)
    assert table.accuracy.between(0.4, 1).all()
    found = json.loads((finished / "correlation.json").read_text())
    expected = vars(aspl_accuracy_correlation(table))
    assert {key: found[key] for key in expected} == pytest.approx(expected)
    assert (found["graphs"], found["runs"]) == (3, 6)
    assert found["density"] == pytest.approx(
        float(table.params_kept.sum() / table.params_total.sum())
    )


def test_target_draws_and_records(finished):
    from mlflow import MlflowClient

    assert (finished / "figure.png").stat().st_size > 10_000
    assert "Spearman" in (finished / "figure.svg").read_text()
    results = finished.parent
    client = MlflowClient(f"sqlite:///{results}/mlflow.db")
    (run_id,) = json.loads((results / "tracking/rgp_aspl.json").read_text()).values()
    run = client.get_run(run_id)
    found = json.loads((finished / "correlation.json").read_text())
    assert run.data.metrics["rho"] == found["rho"]
    assert run.data.params["nodes"] == "16"
    assert run.data.params["train/epochs"] == "6"
    assert [file.path for file in client.list_artifacts(run_id, "figures")] == [
        "figures/figure.png",
        "figures/figure.svg",
    ]
