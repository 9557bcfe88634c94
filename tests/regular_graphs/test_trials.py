"""Networks trained on regular graphs, and the graphs on disk."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphprune import data
from graphprune.errors import UserError
from graphprune.masks import prunable
from graphprune.regular_graphs import aspl, random_regular_graph
from graphprune.regular_graphs.trials import graph_table, load_graphs, save_graphs, train_on_graph
from graphprune.training import evaluation
from graphprune.training.passes import Passes
from graphprune.training.resuming import Partial
from graphprune.training.settings import Settings


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


def test_a_killed_job_goes_on_in_the_seed_that_it_was_in(digits, monkeypatch, tmp_path):
    settings, steps = Settings(epochs=2, batch_size=500, learning_rate=0.1), []
    step = Passes.step

    def counting(*arguments):
        steps.append(1)
        if len(steps) == 6 + 4:  # three steps an epoch: in the second seed's second epoch
            raise KeyboardInterrupt
        return step(*arguments)

    def kept():
        return {seed: Partial(tmp_path / f"{seed}.safetensors", 0) for seed in (3, 4)}

    whole = train_on_graph(ring(64), digits, "mlp", [3, 4], settings)
    monkeypatch.setattr(Passes, "step", counting)
    with pytest.raises(KeyboardInterrupt):
        train_on_graph(ring(64), digits, "mlp", [3, 4], settings, kept=kept())
    assert train_on_graph(ring(64), digits, "mlp", [3, 4], settings, kept=kept()) == whole
    assert len(steps) == 10 + 3


def test_no_training_leaves_the_masked_start(digits):
    (row,) = train_on_graph(ring(16), digits, "mlp", [0], Settings(epochs=0))
    assert np.isnan(row["loss"])
    assert row["accuracy"] < 0.4


def test_a_graph_that_fits_no_layer_is_refused(digits):
    with pytest.raises(UserError, match="200 nodes"):
        train_on_graph(ring(200), digits, "mlp", [0], Settings(epochs=0))
