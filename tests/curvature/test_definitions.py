"""The bound that every curvature keeps, against the plain solver's curvatures of all edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from curvature.random_networks import KINDS, MODELS, network
from torch import nn

from graphprune.curvature import definitions, reference
from graphprune.errors import UserError
from graphprune.methods.curvature import Curvature
from graphprune.neural_graph import trace


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MODELS)
def test_no_edge_is_above_its_bound(name: str, kind: str) -> None:
    graph, values = network(name, 3, kind)
    for alpha in (0.2, 0.5, 0.9):
        above = definitions.bounds(graph, alpha)
        of_edges = reference.edge_curvatures(graph, [v[0] for v in values], alpha)
        for connection, kappa in zip(graph.connections, of_edges, strict=True):
            if connection.parameter is not None and np.isfinite(kappa).any():
                assert np.nanmax(kappa) <= above[connection.parameter] + 1e-9


@pytest.mark.parametrize(
    ("model", "shape", "expected"),
    [
        (MODELS["dense"][0](), (6,), [1.0, 2.0, 2.0, 1.0]),
        # 1 / (1 - 0.9) where a shorter path may run beside an edge
        (MODELS["branches"][0](), (2, 4, 4), [10.0] * 6),
    ],
)
def test_bounds_by_hand(model: nn.Module, shape: tuple[int, ...], expected: list[float]) -> None:
    found = definitions.bounds(trace(model.double().eval(), shape).graph, 0.9)
    assert list(found.values()) == pytest.approx(expected)


@pytest.mark.parametrize("wrong", [2.1, float("nan"), 1.0 + 1e-5])
def test_scores_above_the_bound_are_refused(wrong: float, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    found = Curvature._curvatures

    def off(self: Curvature, graph: object, levels: object, factors: object) -> object:
        kappa, details = found(self, graph, levels, factors)  # type: ignore[arg-type]
        kappa["2.weight"][1, 1] = wrong
        return kappa, details

    method = Curvature(solver="reference")
    assert method.run(model, torch.rand(2, 4)).scores
    monkeypatch.setattr(Curvature, "_curvatures", off)
    with pytest.raises(UserError, match=r"curvature of 2\.weight is .*; allowed: at most 1$"):
        method.run(model, torch.rand(2, 4))
