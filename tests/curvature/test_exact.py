"""The fast exact solver against the reference, and the properties it promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from curvature.random_networks import KINDS, MODELS, network
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_networks import NETWORKS

from graphprune.curvature import exact, reference
from graphprune.curvature.passes import driver
from graphprune.curvature.problem.distances import Distances
from graphprune.errors import UserError
from graphprune.neural_graph import Connection, Layer, NeuralGraph, trace, values
from graphprune.neural_graph.structure import Floats

AGREE = 1e-9
ALPHAS = (0.0, 0.3, 0.5, 0.9, 0.999)


def assert_edges_agree(graph: NeuralGraph, layer_values: list[Floats], alpha: float) -> None:
    kappa = exact.edge_curvatures(graph, layer_values, alpha, threads=1)
    expected = reference.edge_curvatures(graph, layer_values, alpha)
    for ours, theirs in zip(kappa, expected, strict=True):
        # 1 / (1 − α) multiplies the reference's rounding
        np.testing.assert_allclose(ours, theirs, atol=AGREE / (1 - alpha), rtol=0)


@given(
    st.sampled_from(sorted(MODELS)),
    st.sampled_from(KINDS),
    st.sampled_from(ALPHAS),
    st.integers(0, 10**6),
)
@settings(max_examples=25, deadline=None)
def test_every_edge_agrees_with_the_reference(
    name: str, kind: str, alpha: float, seed: int
) -> None:
    graph, layer_values = network(name, seed, kind)
    assert_edges_agree(graph, [array[0] for array in layer_values], alpha)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_networks_made_by_hand(name: str) -> None:
    """Those the reference is checked on by brute force: pooling with padding, parallel edges, …"""
    model, _, shape = NETWORKS[name](3)
    traced = trace(model, shape)
    torch.manual_seed(3)
    layer_values = values(traced, torch.rand(1, *shape, dtype=torch.float64))
    assert_edges_agree(traced.graph, [array[0] for array in layer_values], 0.9)


def test_small_values_spread_evenly() -> None:
    """Where exp(−1/a²) underflows the measure is uniform over the active neighbours."""
    graph, layer_values = network("branches", 5)
    assert_edges_agree(graph, [0.2 * array[0] for array in layer_values], 0.9)


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_inactive_layer(layer: int) -> None:
    graph, layer_values = network("dense", 2)
    layer_values = [array[0].copy() for array in layer_values]
    layer_values[layer][:] = 0.0
    assert_edges_agree(graph, layer_values, 0.9)


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("alpha", [0.3, 0.9])
def test_minimum_over_positions_and_examples(name: str, alpha: float) -> None:
    graph, layer_values = network(name, 7, "sparse", count=3)
    result = exact.parameter_curvatures(graph, layer_values, alpha, threads=1)
    expected = reference.parameter_curvatures(graph, layer_values, alpha)
    assert result.kappa.keys() == expected.keys()
    for key, least in expected.items():
        assert (np.isfinite(result.kappa[key]) == np.isfinite(least)).all()
        exists = np.isfinite(least)
        np.testing.assert_allclose(result.kappa[key][exists], least[exists], atol=AGREE, rtol=0)
        assert (result.error[key] <= AGREE).all()
    counts = result.statistics
    settled = sum(
        counts[kind]
        for kind in ("inactive", "closed_form", "base_optimal", "hub_optimal", "bounds_meet")
    )
    assert settled + counts["open"] == counts["edges"] == 3 * scored(graph)
    assert counts["skipped_by_bounds"] >= 0


def scored(graph: NeuralGraph) -> int:
    return sum(c.edges for c in graph.connections if c.parameter is not None)


@given(st.sampled_from(sorted(MODELS)), st.integers(0, 10**6), st.sampled_from([1e-3, 0.05, 0.5]))
@settings(max_examples=10, deadline=None)
def test_tolerance_is_certified(name: str, seed: int, tolerance: float) -> None:
    graph, layer_values = network(name, seed, count=2)
    sharp = exact.parameter_curvatures(graph, layer_values, threads=1)
    rough = exact.parameter_curvatures(graph, layer_values, tolerance=tolerance, threads=1)
    for key, least in sharp.kappa.items():
        assert (rough.error[key] <= tolerance + AGREE).all()
        gap = np.where(np.isfinite(least), np.abs(rough.kappa[key] - least), 0.0)
        assert (gap <= rough.error[key] + sharp.error[key]).all()
    assert rough.statistics["solved"] <= sharp.statistics["solved"]


@pytest.mark.parametrize("name", ["branches", "dense"])
def test_threads_change_nothing(name: str) -> None:
    graph, layer_values = network(name, 11, count=4)
    one = exact.parameter_curvatures(graph, layer_values, threads=1)
    for threads in (2, 3):
        more = exact.parameter_curvatures(graph, layer_values, threads=threads)
        for key in one.kappa:
            np.testing.assert_array_equal(one.kappa[key], more.kappa[key])
            np.testing.assert_array_equal(one.error[key], more.error[key])


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, layer_values = network("branches", 13, count=3)
    whole = exact.parameter_curvatures(graph, layer_values, threads=1)
    monkeypatch.setattr(driver, "CHUNK_BYTES", 5_000)
    parts = exact.parameter_curvatures(graph, layer_values, threads=1)
    for key in whole.kappa:
        np.testing.assert_allclose(whole.kappa[key], parts.kappa[key], atol=1e-11, rtol=0)


def test_channels_may_be_permuted() -> None:
    graph, layer_values = network("dense", 17, count=2)
    order = np.random.default_rng(0).permutation(graph.layers[1].size)
    first, second, *rest = graph.connections
    into = first.weight.shape[1:3]
    moved = NeuralGraph(
        graph.layers,
        (
            Connection(0, 1, first.weight[:, order], first.pairs, "a", into),
            Connection(
                1, 2, second.weight[:, :, order], second.pairs, "b", second.weight.shape[1:3]
            ),
            *rest,
        ),
    )
    kappa = exact.parameter_curvatures(graph, layer_values, threads=1).kappa
    turned = exact.parameter_curvatures(
        moved, [layer_values[0], layer_values[1][:, order], *layer_values[2:]], threads=1
    ).kappa
    a, b = first.parameter, second.parameter
    assert a is not None
    assert b is not None
    np.testing.assert_allclose(turned["a"], kappa[a].reshape(8, 6)[order], atol=1e-11)
    np.testing.assert_allclose(turned["b"], kappa[b].reshape(7, 8)[:, order], atol=1e-11)


def test_distances_by_pair_class_are_shortest_paths() -> None:
    graph, _ = network("branches", 19, "sparse")
    distances = Distances(graph)
    networkx = pytest.importorskip("networkx")
    plain = networkx.DiGraph()
    for c in graph.connections:
        for g, a, b, tap in np.argwhere(c.weight != 0):
            for s, t, _ in c.pairs[c.pairs[:, 2] == tap]:
                tail = c.source, c.source_channel + g * c.weight.shape[2] + b, s
                head = c.target, c.target_channel + g * c.weight.shape[1] + a, t
                length = 1 / abs(c.weight[g, a, b, tap])
                if not plain.has_edge(tail, head) or plain.edges[tail, head]["length"] > length:
                    plain.add_edge(tail, head, length=length)
    for source, target in ((0, 2), (0, 4), (1, 3), (2, len(graph.layers) - 1)):
        table = distances.table(source, target)
        assert table is not None
        for channel in range(graph.layers[source].channels):
            for position in range(0, graph.layers[source].positions, 3):
                tail = source, channel, position
                expected = (
                    networkx.single_source_dijkstra_path_length(plain, tail, weight="length")
                    if tail in plain
                    else {}
                )
                for head_channel in range(graph.layers[target].channels):
                    for head_position in range(graph.layers[target].positions):
                        head = head_channel, head_position
                        length = table.between((channel, position), head)
                        known = expected.get((target, *head), np.inf)
                        assert length == pytest.approx(known, rel=1e-12)


def test_alpha_above_one_half_changes_nothing() -> None:
    graph, layer_values = network("dense", 23)
    one = exact.parameter_curvatures(graph, layer_values, 0.5, threads=1).kappa
    other = exact.parameter_curvatures(graph, layer_values, 0.97, threads=1).kappa
    for key in one:
        np.testing.assert_allclose(one[key], other[key], atol=1e-12)


def test_one_edge() -> None:
    """Two vertices, both at an end of the network: κ = 0."""
    only = Connection(0, 1, np.ones((1, 1, 1, 1)), np.array([[0, 0, 0]]), "w", (1, 1))
    graph = NeuralGraph((Layer("input", (1,), "input"), Layer("y", (1,), "output")), (only,))
    result = exact.parameter_curvatures(graph, [np.ones((1, 1)), np.ones((1, 1))], threads=1)
    assert result.kappa["w"].item() == 0.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": -1.0}, "tolerance is -1.0"),
        ({"tolerance": float("nan")}, "tolerance is nan"),
        ({"threads": 0}, "threads is 0"),
        ({"alpha": 1.0}, "alpha is 1.0"),
    ],
)
def test_bad_options(options: dict[str, float], message: str) -> None:
    graph, layer_values = network("narrow", 0)
    with pytest.raises(UserError, match=message):
        exact.parameter_curvatures(graph, layer_values, **options)


def test_bad_values() -> None:
    graph, layer_values = network("narrow", 0)
    layer_values[1][0, 0] = np.nan
    with pytest.raises(UserError, match="outside"):
        exact.parameter_curvatures(graph, layer_values)
