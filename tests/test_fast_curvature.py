"""The fast exact solver against the reference, and the properties it promises."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_networks import NETWORKS
from torch import Tensor, nn

from graphprune.curvature import exact, reference
from graphprune.curvature.distances import Distances
from graphprune.errors import UserError
from graphprune.neural_graph import Connection, Layer, NeuralGraph, trace, values
from graphprune.neural_graph.structure import Floats

AGREE = 1e-9
ALPHAS = (0.0, 0.3, 0.5, 0.9, 0.999)


class Branches(nn.Module):
    """Concatenation, strided 1×1 shortcut, residual addition, average pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 3, 3, padding=1)
        self.side = nn.Conv2d(3, 2, 3, padding=1)
        self.down = nn.Conv2d(5, 4, 3, stride=2, padding=1)
        self.short = nn.Conv2d(5, 4, 1, stride=2)
        self.last = nn.Conv2d(4, 4, 3, padding=1)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.stem(x))
        x = torch.cat([x, torch.relu(self.side(x))], 1)
        x = torch.relu(self.down(x) + self.short(x))
        x = torch.relu(self.last(x) + x)
        return self.fc(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


def pooled() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(3, 4, 2, stride=2, padding=1), nn.ReLU(), nn.AvgPool2d(2, 1), nn.Flatten()),
        *(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)),
    )


def grouped() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding=1, groups=2), nn.ReLU()),
        *(nn.Conv2d(4, 6, 3, groups=2, dilation=2), nn.BatchNorm2d(6), nn.ReLU()),
        *(nn.Conv2d(6, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(2, 3)),
    )


def dense() -> nn.Module:
    return nn.Sequential(
        *(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 7), nn.ReLU()),
        *(nn.Linear(7, 6), nn.Tanh(), nn.Linear(6, 4)),
    )


def narrow() -> nn.Module:
    """Layers of a single neuron."""
    return nn.Sequential(
        *(nn.Linear(3, 1), nn.Tanh(), nn.Linear(1, 1), nn.Tanh()),
        *(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 2)),
    )


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "branches": (Branches, (2, 4, 4)),
    "pooled": (pooled, (1, 5, 5)),
    "grouped": (grouped, (2, 5, 5)),
    "dense": (dense, (6,)),
    "narrow": (narrow, (3,)),
}
KINDS = ("normal", "sparse", "equal")


def network(name: str, seed: int, kind: str = "normal", count: int = 1):
    """A graph with random weights (or a third of them 0, or all equal) and vertex values."""
    build, shape = MODELS[name]
    torch.manual_seed(seed)
    model = build().double().eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                module.weight.normal_()
                module.bias.normal_(std=0.5)
                if kind == "sparse":
                    module.weight.mul_(torch.rand_like(module.weight) > 0.3)
                if kind == "equal":
                    module.weight.fill_(0.5)
    traced = trace(model, shape)
    inputs = torch.rand(count, *shape, dtype=torch.float64)
    return traced.graph, values(traced, inputs * (torch.rand_like(inputs) > 0.2))


def assert_edges_agree(graph: NeuralGraph, level: list[Floats], alpha: float) -> None:
    found = exact.edge_curvatures(graph, level, alpha, threads=1)
    expected = reference.edge_curvatures(graph, level, alpha)
    for ours, theirs in zip(found, expected, strict=True):
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
    graph, level = network(name, seed, kind)
    assert_edges_agree(graph, [array[0] for array in level], alpha)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_networks_made_by_hand(name: str) -> None:
    """Those the reference is checked on by brute force: pooling with padding, parallel edges, …"""
    model, _, shape = NETWORKS[name](3)
    traced = trace(model, shape)
    torch.manual_seed(3)
    level = values(traced, torch.rand(1, *shape, dtype=torch.float64))
    assert_edges_agree(traced.graph, [array[0] for array in level], 0.9)


def test_small_values_spread_evenly() -> None:
    """Where exp(−1/a²) underflows the measure is uniform over the active neighbours."""
    graph, level = network("branches", 5)
    assert_edges_agree(graph, [0.2 * array[0] for array in level], 0.9)


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_inactive_layer(layer: int) -> None:
    graph, level = network("dense", 2)
    level = [array[0].copy() for array in level]
    level[layer][:] = 0.0
    assert_edges_agree(graph, level, 0.9)


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("alpha", [0.3, 0.9])
def test_minimum_over_positions_and_examples(name: str, alpha: float) -> None:
    graph, level = network(name, 7, "sparse", count=3)
    found = exact.parameter_curvatures(graph, level, alpha, threads=1)
    expected = reference.parameter_curvatures(graph, level, alpha)
    assert found.kappa.keys() == expected.keys()
    for key, least in expected.items():
        assert (np.isfinite(found.kappa[key]) == np.isfinite(least)).all()
        exists = np.isfinite(least)
        np.testing.assert_allclose(found.kappa[key][exists], least[exists], atol=AGREE, rtol=0)
        assert (found.error[key] <= AGREE).all()
    counts = found.statistics
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
    graph, level = network(name, seed, count=2)
    sharp = exact.parameter_curvatures(graph, level, threads=1)
    rough = exact.parameter_curvatures(graph, level, tolerance=tolerance, threads=1)
    for key, least in sharp.kappa.items():
        assert (rough.error[key] <= tolerance + AGREE).all()
        gap = np.where(np.isfinite(least), np.abs(rough.kappa[key] - least), 0.0)
        assert (gap <= rough.error[key] + sharp.error[key]).all()
    assert rough.statistics["solved"] <= sharp.statistics["solved"]


@pytest.mark.parametrize("name", ["branches", "dense"])
def test_threads_change_nothing(name: str) -> None:
    graph, level = network(name, 11, count=4)
    one = exact.parameter_curvatures(graph, level, threads=1)
    for threads in (2, 3):
        more = exact.parameter_curvatures(graph, level, threads=threads)
        for key in one.kappa:
            np.testing.assert_array_equal(one.kappa[key], more.kappa[key])
            np.testing.assert_array_equal(one.error[key], more.error[key])


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, level = network("branches", 13, count=3)
    whole = exact.parameter_curvatures(graph, level, threads=1)
    monkeypatch.setattr(exact, "CHUNK_BYTES", 5_000)
    parts = exact.parameter_curvatures(graph, level, threads=1)
    for key in whole.kappa:
        np.testing.assert_allclose(whole.kappa[key], parts.kappa[key], atol=1e-11, rtol=0)


def test_channels_may_be_permuted() -> None:
    graph, level = network("dense", 17, count=2)
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
    found = exact.parameter_curvatures(graph, level, threads=1).kappa
    turned = exact.parameter_curvatures(
        moved, [level[0], level[1][:, order], *level[2:]], threads=1
    ).kappa
    a, b = first.parameter, second.parameter
    assert a is not None
    assert b is not None
    np.testing.assert_allclose(turned["a"], found[a].reshape(8, 6)[order], atol=1e-11)
    np.testing.assert_allclose(turned["b"], found[b].reshape(7, 8)[:, order], atol=1e-11)


def test_distances_by_class_are_shortest_paths() -> None:
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
                    for at in range(graph.layers[target].positions):
                        length = table.between((channel, position), (head_channel, at))
                        known = expected.get((target, head_channel, at), np.inf)
                        assert length == pytest.approx(known, rel=1e-12)


def test_alpha_above_one_half_changes_nothing() -> None:
    graph, level = network("dense", 23)
    one = exact.parameter_curvatures(graph, level, 0.5, threads=1).kappa
    other = exact.parameter_curvatures(graph, level, 0.97, threads=1).kappa
    for key in one:
        np.testing.assert_allclose(one[key], other[key], atol=1e-12)


def test_one_edge() -> None:
    """Two vertices, both at an end of the network: κ = 0."""
    only = Connection(0, 1, np.ones((1, 1, 1, 1)), np.array([[0, 0, 0]]), "w", (1, 1))
    graph = NeuralGraph((Layer("input", (1,), "input"), Layer("y", (1,), "output")), (only,))
    found = exact.parameter_curvatures(graph, [np.ones((1, 1)), np.ones((1, 1))], threads=1)
    assert found.kappa["w"].item() == 0.0


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
    graph, level = network("narrow", 0)
    with pytest.raises(UserError, match=message):
        exact.parameter_curvatures(graph, level, **options)


def test_bad_values() -> None:
    graph, level = network("narrow", 0)
    level[1][0, 0] = np.nan
    with pytest.raises(UserError, match="outside"):
        exact.parameter_curvatures(graph, level)
