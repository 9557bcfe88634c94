"""The reference solver against hand-worked cases and an independent brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_networks import NETWORKS
from torch import nn

import graphprune
from graphprune.curvature import definitions
from graphprune.curvature.reference import (
    edge_curvatures,
    parameter_curvatures,
    transport_cost,
)
from graphprune.errors import UserError
from graphprune.neural_graph import Connection, Layer, NeuralGraph, trace, values

ALPHAS = [0.0, 0.3, 0.5, 0.9, 0.999]


def chain(*weights: list[list[float]]) -> NeuralGraph:
    """Fully connected layers with the weight matrices ``(out, in)``."""
    matrices = [np.array(w, dtype=np.float64) for w in weights]
    sizes = [matrices[0].shape[1], *(len(m) for m in matrices)]
    roles = ["input", *["hidden"] * (len(sizes) - 2), "output"]
    layers = tuple(Layer(f"layer{i}", (n,), roles[i]) for i, n in enumerate(sizes))
    connections = tuple(
        Connection(i, i + 1, m[None, :, :, None], np.zeros((1, 3), int), f"w{i}", m.shape)
        for i, m in enumerate(matrices)
    )
    return NeuralGraph(layers, connections)


def kappa_of(graph: NeuralGraph, example: list[list[float]], alpha: float, **options: bool):
    arrays = [np.array(v, dtype=np.float64) for v in example]
    kappa = edge_curvatures(graph, arrays, alpha, **options)
    return [k[0, :, :, 0] for k in kappa]


class TestByHand:
    """Cases small enough for paper."""

    @pytest.mark.parametrize("alpha", ALPHAS)
    def test_path_of_four(self, alpha: float) -> None:
        """x→u→v→y with lengths 1/2, 1/4, 1/5, all vertices active.

        p and q are single masses. Edge x→u: μ = δ_x, ν = α δ_u + (1−α) δ_v:
        W = α/2 + (1−α)(1/2 + 1/4); κ = (1 − W / (1/2)) / (1−α) = 1 − (3/4) / (1/2) = −1/2.
        Edge u→v: all mass shifts; the path is the only one, so W = mean position of ν − that of μ
        = (1/4 + (1−α)/5) + (1−α)/2, κ = (1 − 4 W)/(1−α) = −4 (1/5 + 1/2) = −2.8.
        Edge v→y: κ = 1 − d(u, y) / (1/5) = 1 − 5 (1/4 + 1/5) = −1.25.
        """
        graph = chain([[2.0]], [[-4.0]], [[5.0]])
        kappa = kappa_of(graph, [[1.0], [1.0], [1.0], [1.0]], alpha)
        assert [k.item() for k in kappa] == pytest.approx([-0.5, -2.8, -1.25], abs=1e-12)

    @pytest.mark.parametrize("alpha", ALPHAS)
    def test_no_active_neighbour_at_either_end(self, alpha: float) -> None:
        """μ_u = δ_u and ν_v = δ_v: W = ℓ, κ = 0."""
        graph = chain([[1.0]], [[3.0]], [[1.0]])
        kappa = kappa_of(graph, [[0.0], [1.0], [1.0], [0.0]], alpha)
        assert kappa[1].item() == pytest.approx(0.0, abs=1e-12)

    def test_weighted_neighbours(self) -> None:
        """v of input→v, v→(m₁, m₂), a = 1 and 1/2: q ∝ (e⁻¹, e⁻⁴).

        κ(x→v) = 1 − Σ q_m (ℓ(x,v) + ℓ(v,m)) / ℓ(x,v) = −Σ q_m ℓ(v,m) with ℓ(x,v) = 1 and
        ℓ(v,m) = (1, 2): q₂ = e⁻⁴ / (e⁻¹ + e⁻⁴) = 1 / (1 + e³).
        """
        graph = chain([[1.0]], [[1.0], [0.5]])
        kappa = kappa_of(graph, [[1.0], [1.0], [1.0, 0.5]], 0.9)
        assert kappa[0].item() == pytest.approx(-(1 + 1 / (1 + math.e**3)), abs=1e-12)

    def test_two_by_two(self) -> None:
        """Two vertices in each of four layers, all weights 1, all values equal, α = 1/2.

        By symmetry p = q = (1/2, 1/2), every distance k→m is 3, k→v and u→m 2, u→v 1. Moving
        mass 1/2 from u to v directly costs 1/2, the other 1/2 from p to q 3/2: W = 2, and any
        other plan costs as much (2 + 2 = 3 + 1). κ = (1 − 2) / (1/2) = −2.
        """
        ones = [[1.0, 1.0], [1.0, 1.0]]
        graph = chain(ones, ones, ones)
        kappa = kappa_of(graph, [[1.0, 1.0]] * 4, 0.5)
        assert kappa[1] == pytest.approx(np.full((2, 2), -2.0), abs=1e-12)

    def test_idle_mass_avoids_a_long_edge(self) -> None:
        """k→{u, u'}→{v, v'}→m where u→v is so long that mass takes the paths around it.

        ℓ(u,v) = 10, all other edges 1, α = 1/2, p = δ_k, q = δ_m. d(k,m) = 3 (by u' or v'),
        d(k,v) = 1 + ℓ(u',v) = 2, d(u,m) = 2. Direct: 1/2·10 + 1/2·3 = 6.5; crossed:
        1/2·d(k,v) + 1/2·d(u,m) = 2, so W = 2 and κ(u,v) = (1 − 2/10) / (1/2) = 1.6.
        """
        graph = chain([[1.0], [1.0]], [[0.1, 1.0], [1.0, 1.0]], [[1.0, 1.0]])
        kappa = kappa_of(graph, [[1.0], [1.0, 1.0], [1.0, 1.0], [1.0]], 0.5)
        assert kappa[1][0, 0] == pytest.approx(1.6, abs=1e-12)

    def test_inactive_vertices_take_the_supremum(self) -> None:
        graph = chain([[1.0], [1.0]], [[1.0, 2.0], [3.0, 4.0]], [[1.0, 1.0]])
        first, second, third = kappa_of(graph, [[0.0], [1.0, 0.0], [0.0, 1.0], [0.0]], 0.9)
        assert first[1, 0] == 1.0
        assert second[0].tolist() == [2.0, 2.0]
        assert second[1, 1] == 2.0
        assert second[1, 0] < 2.0
        assert third[0, 0] == 1.0
        assert third[0, 1] < 1.0  # the output's own value 0 makes nothing inactive

    def test_no_edge_no_curvature(self) -> None:
        graph = chain([[1.0, 0.0]], [[1.0], [1.0]])
        example = [np.ones(2), np.ones(1), np.ones(2)]
        assert np.isnan(edge_curvatures(graph, example)[0][0, 0, 1, 0])
        kappa = parameter_curvatures(graph, [v[None] for v in example])
        assert kappa["w0"].shape == (1, 2)
        assert kappa["w0"][0, 1] == math.inf
        assert np.isfinite(kappa["w0"][0, 0])


class TestMeasure:
    def test_uniform_where_the_sum_underflows(self) -> None:
        # exp(−1 / 0.2²) ≈ 1.4e-11: twice that is below 1e-7
        masses = definitions.measure(np.array([0.2, 0.0, 0.1]))
        assert masses.tolist() == [0.5, 0.0, 0.5]

    def test_not_uniform_above(self) -> None:
        # exp(−1 / 0.25²) ≈ 1.1e-7
        masses = definitions.measure(np.array([0.25, 0.1]))
        assert masses[0] > 0.999

    @given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
    @settings(max_examples=50, deadline=None)
    def test_sums_to_one_where_anything_is_active(self, values: list[float]) -> None:
        array = np.array(values)
        masses = definitions.measure(array)
        assert (masses[array == 0] == 0).all()
        assert masses.sum() == pytest.approx(float((array > 0).any()), abs=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("seed", "alpha"), list(enumerate(ALPHAS, start=2)))
def test_agrees_with_brute_force(name: str, alpha: float, seed: int) -> None:
    model, by_hand, shape = NETWORKS[name](seed)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double()
    network = by_hand(x)
    traced = trace(model, shape)
    example = values(traced, x[None])
    assert traced.graph.edges == len(network.edges)
    assert [layer.size for layer in traced.graph.layers] == [
        sum(v[0] == layer for v in network.values) for layer in network.layers
    ]
    computed = parameter_curvatures(traced.graph, example, alpha)
    expected = network.parameter_curvatures(alpha)
    compared = 0
    for parameter, kappa in computed.items():
        for index, value in enumerate(kappa.flatten()):
            wanted = expected.get((parameter, index), math.inf)
            assert value == pytest.approx(wanted, abs=1e-9, rel=1e-9)
            compared += 1
    assert compared == sum(p.numel() for n, p in model.named_parameters() if n in computed)
    assert min(computed[name].min() for name in computed) < 1.0  # not only suprema


@pytest.mark.parametrize("name", NETWORKS)
def test_closed_forms_equal_the_solver(name: str) -> None:
    model, _, shape = NETWORKS[name](5)
    traced = trace(model, shape)
    example = [v[0] for v in values(traced, torch.rand(1, *shape).double())]
    closed = edge_curvatures(traced.graph, example, 0.7)
    solved = edge_curvatures(traced.graph, example, 0.7, closed_form=False)
    for a, b in zip(closed, solved, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-10, rtol=1e-10, equal_nan=True)


@pytest.mark.parametrize("name", ["mlp", "convolutions"])
def test_alpha_above_one_half_changes_nothing(name: str) -> None:
    """Holds without skip connections: there the edge u→v is the shortest path from u to v."""
    model, _, shape = NETWORKS[name](6)
    traced = trace(model, shape)
    batch = values(traced, torch.rand(2, *shape).double())
    half = parameter_curvatures(traced.graph, batch, 0.5)
    for alpha in (0.6, 0.9):
        other = parameter_curvatures(traced.graph, batch, alpha)
        for parameter in half:
            np.testing.assert_allclose(other[parameter], half[parameter], atol=1e-11)


def test_minimum_over_examples() -> None:
    model, _, shape = NETWORKS["convolutions"](7)
    traced = trace(model, shape)
    inputs = torch.rand(3, *shape).double()
    together = parameter_curvatures(traced.graph, values(traced, inputs))
    apart = [parameter_curvatures(traced.graph, values(traced, x[None])) for x in inputs]
    for parameter, kappa in together.items():
        assert np.array_equal(kappa, np.minimum.reduce([a[parameter] for a in apart]))
    assert any((together[name] < one[name]).any() for name in together for one in apart[:1])


def test_shared_weight_takes_the_minimum_over_its_uses() -> None:
    torch.manual_seed(0)
    shared = nn.Linear(3, 3)
    model = nn.Sequential(shared, nn.Tanh(), shared, nn.Tanh(), nn.Linear(3, 2)).double()
    traced = trace(model, (3,))
    example = values(traced, torch.rand(1, 3).double())
    uses = edge_curvatures(traced.graph, [v[0] for v in example])[:2]
    kappa = parameter_curvatures(traced.graph, example)
    assert list(kappa) == ["0.weight", "4.weight"]
    assert np.array_equal(kappa["0.weight"], np.minimum(*uses)[0, :, :, 0])


class TestTransport:
    def test_negative_costs(self) -> None:
        cost = np.array([[-3.0, 1.0], [0.0, -2.0]])
        assert transport_cost(np.array([0.5, 0.5]), np.array([0.25, 0.75]), cost) == pytest.approx(
            0.25 * -3 + 0.25 * 1 + 0.5 * -2
        )

    def test_masses_that_do_not_fit_are_an_error(self) -> None:
        with pytest.raises(RuntimeError, match="masses"):
            transport_cost(np.array([0.5, 0.5]), np.array([0.2, 0.2]), np.ones((2, 2)))


class TestMethod:
    def test_score(self) -> None:
        model, _, shape = NETWORKS["convolutions"](8)
        inputs = torch.rand(2, *shape).double()
        scores = graphprune.score(model, "curvature", inputs)
        traced = trace(model, shape)
        expected = parameter_curvatures(traced.graph, values(traced, inputs))
        assert set(scores) == {"conv1.weight", "conv2.weight", "fc.weight"}
        for name, score in scores.items():
            assert score.dtype == torch.float64
            assert score.shape == model.get_parameter(name).shape
            np.testing.assert_allclose(-score.numpy(), expected[name], atol=1e-9)

    def test_folding_batchnorm_changes_the_lengths(self) -> None:
        model, _, shape = NETWORKS["convolutions"](9)
        inputs = torch.rand(1, *shape).double()
        plain = graphprune.score(model, "curvature", inputs)
        folded = graphprune.score(model, "curvature", inputs, fold_batchnorm=True)
        assert not torch.allclose(plain["conv1.weight"], folded["conv1.weight"])

    def test_needs_inputs(self) -> None:
        with pytest.raises(UserError, match="needs inputs"):
            graphprune.score(nn.Linear(2, 2), "curvature")

    @pytest.mark.parametrize("alpha", [1.0, -0.1, math.nan])
    def test_alpha_out_of_range(self, alpha: float) -> None:
        with pytest.raises(UserError, match="alpha"):
            graphprune.score(nn.Linear(2, 2), "curvature", torch.rand(1, 2), alpha=alpha)

    def test_weights_that_are_nan(self) -> None:
        model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
        with torch.no_grad():
            model[2].weight[0, 0] = math.nan
        with pytest.raises(UserError, match=r"2\.weight contains NaN"):
            graphprune.score(model, "curvature", torch.rand(1, 2))

    def test_activations_that_are_nan(self) -> None:
        model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
        inputs = torch.tensor([[0.0, 1.0], [math.nan, 0.0]])
        with pytest.raises(UserError, match="inputs contain NaN or infinite numbers"):
            graphprune.score(model, "curvature", inputs)
        with torch.no_grad():
            model[0].weight.fill_(3e38)
        with pytest.raises(UserError, match="layer 1 are NaN or infinite"):
            graphprune.score(model, "curvature", torch.full((1, 2), 10.0))


def test_values_out_of_range() -> None:
    graph = chain([[1.0]], [[1.0], [1.0]])
    with pytest.raises(UserError, match="outside"):
        edge_curvatures(graph, [np.ones(1), np.full(1, 1.5), np.ones(2)])
    with pytest.raises(UserError, match="shape"):
        edge_curvatures(graph, [np.ones(1), np.ones(2), np.ones(2)])
    with pytest.raises(UserError, match="layers"):
        edge_curvatures(graph, [np.ones(1), np.ones(2)])
