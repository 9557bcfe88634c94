"""Edge lengths of tanh networks: by hand, by brute force, and the exact solver by the reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from curvature.random_networks import MODELS, network
from curvature.test_reference import chain
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_networks import chain_mlp
from torch import nn

import graphprune
from graphprune import models
from graphprune.curvature import exact, reference
from graphprune.errors import UserError
from graphprune.neural_graph import trace, values
from graphprune.neural_graph.structure import Floats
from graphprune.neural_graph.vertex_values import tanh_factors


@pytest.mark.parametrize("solver", [exact, reference])
def test_path_of_four_by_hand(solver) -> None:
    """x→u→v→y with 1/|w| = 1/2, 1/4, 1/5 and factors 1, 1/2, 4/5, 1; all active, α = 1/2.

    ℓ = (1/2) / (1/2) = 1, (1/4) / (1/2) = 1/2 and (1/5) / (4/5) = 1/4. Other paths are as ever.
    x→u: W = (1 + (1/2 + 1/4)) / 2 = 7/8; κ = (1 − 7/8) / (1/2) = 1/4.
    u→v: direct (1/2 + 19/20) / 2 = 29/40, crossed (d(x, v) + d(u, y)) / 2 = (3/4 + 9/20) / 2 = 3/5;
    κ = (1 − (3/5) / (1/2)) / (1/2) = −2/5.
    v→y: W = (1/4 + 9/20) / 2 = 7/20; κ = (1 − (7/20) / (1/4)) / (1/2) = −4/5.
    """
    graph = chain([[2.0]], [[-4.0]], [[5.0]])
    ones = [np.ones(1)] * 4
    factors = [np.array([factor]) for factor in (1.0, 0.5, 0.8, 1.0)]
    kappa = solver.edge_curvatures(graph, ones, 0.5, factors=factors)
    assert [k.item() for k in kappa] == pytest.approx([0.25, -0.4, -0.8], abs=1e-12)


@pytest.mark.parametrize("alpha", [0.3, 0.5, 0.9])
def test_agrees_with_brute_force(alpha: float) -> None:
    """On a network of a ReLU and a tanh layer: the former has the factor 1."""
    model, by_hand, shape = chain_mlp(3)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(3)).double()
    network = by_hand(x)
    with torch.no_grad():
        before = model[2](torch.relu(model[0](x)))
        sizes = {"input": x, "g": before, "y": model[4](torch.tanh(before))}
    for layer, index in network.values:
        z = float(sizes[layer][index]) if layer in sizes else 0.0
        network.factors[layer, index] = float(np.tanh(z) / z) if z else 1.0
    traced = trace(model, shape)
    example, factors = values(traced, x[None]), tanh_factors(traced, x[None])
    expected = network.parameter_curvatures(alpha)
    plain = reference.parameter_curvatures(traced.graph, example, alpha)
    computed = reference.parameter_curvatures(traced.graph, example, alpha, factors)
    fast = exact.parameter_curvatures(traced.graph, example, alpha, threads=1, factors=factors)
    for parameter, kappa in computed.items():
        wanted = [expected.get((parameter, index), np.inf) for index in range(kappa.size)]
        assert kappa.ravel() == pytest.approx(wanted, abs=1e-9, rel=1e-9)
        assert fast.kappa[parameter].ravel() == pytest.approx(wanted, abs=1e-9, rel=1e-9)
    assert any(not np.allclose(plain[name], computed[name]) for name in plain)


def random_factors(layer_values: list[Floats], seed: int) -> list[Floats]:
    generator = np.random.default_rng(seed)
    return [generator.uniform(0.05, 1.0, array.shape) for array in layer_values]


@given(
    st.sampled_from(sorted(MODELS)),
    st.sampled_from(["normal", "sparse"]),
    st.sampled_from([0.0, 0.3, 0.9]),
    st.integers(0, 10**6),
)
@settings(max_examples=15, deadline=None)
def test_exact_agrees_with_the_reference(name: str, kind: str, alpha: float, seed: int) -> None:
    graph, layer_values = network(name, seed, kind, count=2)
    factors = random_factors(layer_values, seed)
    fast = exact.parameter_curvatures(graph, layer_values, alpha, threads=1, factors=factors)
    slow = reference.parameter_curvatures(graph, layer_values, alpha, factors)
    for parameter, kappa in slow.items():
        np.testing.assert_allclose(fast.kappa[parameter], kappa, atol=1e-9 / (1 - alpha), rtol=0)


# not those with shortcuts: mass that moves from u to v would take the edge, not a shorter path
@pytest.mark.parametrize("name", sorted({*MODELS} - {"branches"}))
def test_factors_of_one_change_no_bit_of_a_chain(name: str) -> None:
    graph, layer_values = network(name, 5, count=2)
    ones = [np.ones_like(array) for array in layer_values]
    plain = exact.parameter_curvatures(graph, layer_values, threads=1)
    scaled = exact.parameter_curvatures(graph, layer_values, threads=1, factors=ones)
    for parameter in plain.kappa:
        np.testing.assert_array_equal(plain.kappa[parameter], scaled.kappa[parameter])


def test_factors_out_of_range() -> None:
    graph = chain([[1.0]], [[1.0], [1.0]])
    example = [np.ones(1), np.ones(1), np.ones(2)]
    for wrong in (0.0, 1.5, np.nan):
        with pytest.raises(UserError, match=r"factors lie outside \(0, 1\]"):
            exact.edge_curvatures(graph, example, factors=[np.full_like(a, wrong) for a in example])
    with pytest.raises(UserError, match="factors have other shapes"):
        reference.edge_curvatures(graph, example, factors=example[:2])


class TestFactors:
    """tanh(z) / z of pixels, of what tanh is given, and of logits."""

    def test_modules_functions_and_methods_are_the_same(self) -> None:
        class Functional(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.first, self.second, self.last = (
                    nn.Linear(3, 4),
                    nn.Linear(4, 4),
                    nn.Linear(4, 2),
                )

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.last(self.second(torch.tanh(self.first(x))).tanh())

        torch.manual_seed(1)
        model = Functional().double()
        x = torch.randn(5, 3, dtype=torch.float64)
        first = model.first(x)
        second = model.second(torch.tanh(first))
        before = [x, first, second, model.last(torch.tanh(second))]
        found = tanh_factors(trace(model, (3,)), x, batch_size=2)
        for z, factor in zip(before, found, strict=True):
            expected = (torch.tanh(z) / z).detach().numpy()
            np.testing.assert_allclose(factor, expected, rtol=1e-12)

    def test_zero_has_the_limit_and_other_layers_have_one(self) -> None:
        model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
        pixels, hidden, _ = tanh_factors(trace(model, (2,)), torch.tensor([[0.0, 2.0]]))
        assert pixels.tolist() == [[1.0, pytest.approx(np.tanh(2.0) / 2.0)]]
        assert hidden.tolist() == [[1.0, 1.0, 1.0]]


def test_the_method_takes_them_by_its_option() -> None:
    model = models.build("lenet5_tanh", (1, 16, 16), 3, seed=2)
    inputs = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    traced = trace(model, (1, 16, 16))
    scores = graphprune.score(model, "curvature", inputs, edge_length="tanh", threads=1)
    expected = exact.parameter_curvatures(
        traced.graph, values(traced, inputs), threads=1, factors=tanh_factors(traced, inputs)
    ).kappa
    plain = graphprune.score(model, "curvature", inputs, threads=1)
    for name, score in scores.items():
        np.testing.assert_array_equal(score.numpy(), -expected[name])
    assert not torch.equal(scores["conv2.weight"], plain["conv2.weight"])
