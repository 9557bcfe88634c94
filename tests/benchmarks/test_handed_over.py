"""What one process of a benchmark hands to another arrives as it was."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from benchmark_scripts import benchmark

from graphprune.models import build
from graphprune.neural_graph import trace, values


@pytest.fixture(scope="module")
def handed_over(root: Path) -> ModuleType:
    return benchmark(root, "handed_over")


def test_a_graph_arrives_as_it_was(handed_over: ModuleType, tmp_path: Path) -> None:
    traced = trace(build("lenet5", (1, 28, 28), 10, seed=0), (1, 28, 28))
    given = values(traced, torch.rand(2, 1, 28, 28))
    handed_over.save(tmp_path / "graph", traced.graph, given, 0.5)
    graph, got, accuracy = handed_over.load(tmp_path / "graph")
    assert accuracy == 0.5
    assert graph.layers == traced.graph.layers
    assert len(graph.connections) == len(traced.graph.connections) > 0
    for one, other in zip(graph.connections, traced.graph.connections, strict=True):
        for field in fields(one):
            a, b = getattr(one, field.name), getattr(other, field.name)
            assert type(a) is type(b)
            np.testing.assert_array_equal(a, b)
    for a, b in zip(got, given, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_pickle_in_its_place_never_runs(handed_over: ModuleType, tmp_path: Path) -> None:
    # protocol 0: call os.system("touch pwned")
    attack = f"cposix\nsystem\n(S'touch {tmp_path}/pwned'\ntR."
    (tmp_path / "graph").write_bytes(attack.encode())
    with pytest.raises(ValueError, match="pickle"):
        handed_over.load(tmp_path / "graph")
    assert not (tmp_path / "pwned").exists()
