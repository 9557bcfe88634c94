"""The experiment on accuracy against path length: networks, figure, Snakemake target."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from graphprune import data, evaluation, figures, models
from graphprune.errors import UserError
from graphprune.figures.path_length import sentence
from graphprune.masks import prunable
from graphprune.regular_graphs import (
    Correlation,
    aspl,
    aspl_accuracy_correlation,
    random_regular_graph,
)
from graphprune.regular_graphs.trials import (
    graph_table,
    load_graphs,
    save_graphs,
    train_on_graph,
)
from graphprune.training import Settings

FOUND = Correlation(rho=-0.61, low=-0.9, high=-0.1, p_value=0.012, graphs=3, runs=6)
SMALL = {"dataset": "digits", "model": "mlp", "nodes": 16, "degree": 3, "graphs": 3}


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def ring(n):
    graph = np.zeros((n, n), dtype=np.bool_)
    graph[np.arange(n), (np.arange(n) + 1) % n] = True
    return graph | graph.T


def test_graphs_come_back_in_their_order(tmp_path):
    graphs = [random_regular_graph(10, 3, seed, "numpy") for seed in range(12)]
    save_graphs(tmp_path / "graphs.safetensors", graphs)
    found = load_graphs(tmp_path / "graphs.safetensors")
    assert len(found) == 12
    assert all(np.array_equal(a, b) for a, b in zip(graphs, found, strict=True))
    with pytest.raises(UserError, match="no such file"):
        load_graphs(tmp_path / "others.safetensors")


def test_table_of_a_ring_by_hand():
    (row,) = graph_table([ring(6)])
    # from each vertex two at 1, two at 2, one at 3
    assert row["aspl"] == pytest.approx(9 / 5)
    assert (row["graph"], row["n"], row["k"], row["diameter"]) == (0, 6, 2, 3)
    assert row["spectral_gap"] == pytest.approx(2 - 1)


def test_networks_are_the_graph_from_the_start(digits, monkeypatch):
    seen = {}
    measure = evaluation.accuracy

    def spy(model, split):
        seen["weights"] = {name: w.detach().clone() for name, w in prunable(model).items()}
        return measure(model, split)

    monkeypatch.setattr(evaluation, "accuracy", spy)
    rows = train_on_graph(ring(64), digits, "mlp", [3, 4], Settings(epochs=2, learning_rate=0.1))
    # 64 x 128 x 2/64 + 128 x 64 x 2/64 and the last layer whole
    assert [row["params_kept"] for row in rows] == [256 + 256 + 640] * 2
    assert [row["params_total"] for row in rows] == [64 * 128 * 2 + 640] * 2
    assert [row["seed"] for row in rows] == [3, 4]
    assert rows[0]["aspl"] == pytest.approx(aspl(ring(64)))
    assert rows[0]["accuracy"] != rows[1]["accuracy"]
    assert int(torch.count_nonzero(seen["weights"]["fc1.weight"])) <= 256
    row = seen["weights"]["fc1.weight"][0]  # of node 0, which reads its two neighbours alone
    assert set(torch.nonzero(row).flatten().tolist()) <= {1, 63}
    again = train_on_graph(ring(64), digits, "mlp", [3], Settings(epochs=2, learning_rate=0.1))
    assert again == rows[:1]


def test_no_training_leaves_the_masked_start(digits):
    (row,) = train_on_graph(ring(16), digits, "mlp", [0], Settings(epochs=0))
    assert np.isnan(row["loss"])
    assert row["accuracy"] < 0.4


def test_a_graph_that_fits_no_layer_is_refused(digits):
    with pytest.raises(UserError, match="200 nodes"):
        train_on_graph(ring(200), digits, "mlp", [0], Settings(epochs=0))


def runs():
    return pd.DataFrame(
        {
            "graph": [0, 0, 1, 1, 2, 2],
            "aspl": [2.0, 2.0, 4.0, 4.0, 9.0, 9.0],
            "accuracy": [0.90, 0.92, 0.80, 0.84, 0.85, 0.85],
        }
    )


def test_figure_shows_every_run_and_the_means():
    figure = figures.accuracy_against_aspl(runs(), FOUND, "digits", bound=1.8)
    (ax,) = figure.axes
    lines = {line.get_gid(): line for line in ax.get_lines()}
    np.testing.assert_allclose(lines["runs"].get_xydata()[:, 1], 100 * runs().accuracy)
    (container,) = ax.containers
    means, _, (bars,) = container
    np.testing.assert_allclose(means.get_xydata(), [(2, 91), (4, 82), (9, 85)])
    half = 12.706 * np.sqrt(2) / np.sqrt(2)  # t(0.975, 1) times s / sqrt(2) of 90 and 92
    low, high = bars.get_segments()[0][:, 1]
    assert (high - low) / 2 == pytest.approx(half, rel=1e-3)
    assert sentence(FOUND) in ax.get_title(loc="left")


def test_sentence_says_all_there_is():
    expected = "Spearman's ρ = −0.61 [−0.90, −0.10], p = 0.012; 3 graphs, 6 runs"
    assert sentence(FOUND) == expected


def test_default_settings_fit_each_other(schema):
    from graphprune.config import complete

    config = complete(
        {
            "networks": [{"dataset": "digits", "model": "mlp"}],
            "seeds": [0],
            "compressions": [2],
            "methods": {"random": {}},
        },
        schema,
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
    preset = yaml.safe_load((root / "workflow/presets/tiny.yaml").read_text())
    training = {"epochs": 6, "batch_size": 32, "learning_rate": 0.1}
    experiment = {**SMALL, "evaluations": 500, "seeds": [5, 6], "train": training}
    # another dataset than the comparison's
    networks = [{"dataset": "mnist5k", "model": "lenet5"}]
    config = folder / "config.yaml"
    config.write_text(
        yaml.safe_dump({**preset, "results": "out", "networks": networks, "rgp_aspl": experiment})
    )
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile")]
    command += ["--directory", str(folder), "--configfile", str(config), "--cores", "2"]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": ""}
    run = subprocess.run(
        [*command, "rgp_aspl"], capture_output=True, text=True, env=environment, check=False
    )
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
