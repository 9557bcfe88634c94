"""Tracing leaves the network as it was, and gives layers and weights their names."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from graphprune.neural_graph import trace


def test_model_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(), nn.Linear(2, 2))
    model[1].eval()
    before = copy.deepcopy(model.state_dict())
    inputs = torch.rand(3, 2)
    state = torch.random.get_rng_state()
    trace(model, (2,)).activations(inputs)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [m.training for m in model] == [True, False, True, True]
    assert model.training
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())


def test_in_place_operations_do_not_reach_back() -> None:
    """The layer before an in-place nonlinearity is read before it is overwritten."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.ReLU(inplace=True), nn.Linear(4, 2))
    raw = trace(model, (3,)).activations(torch.randn(8, 3))
    assert (raw[1] < 0).any()
    assert torch.equal(raw[1].clamp(min=0), raw[2])


def test_a_bare_linear_layer() -> None:
    graph = trace(nn.Linear(3, 2), (3,)).graph
    assert [(c.parameter, c.edges) for c in graph.connections] == [("weight", 6)]
    assert [layer.role for layer in graph.layers] == ["input", "output"]


def test_shared_layers_keep_one_name() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(3, 3)
            self.b = nn.Linear(3, 3)
            self.b.weight = self.a.weight
            self.c = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.a(torch.relu(self.a(x))))
            return self.c(torch.relu(self.b(x)))

    graph = trace(Twice(), (3,)).graph
    assert [c.parameter for c in graph.connections] == ["a.weight"] * 3 + ["c.weight"]
