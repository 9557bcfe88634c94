"""The neural graph as a graph_tool.Graph: saved, loaded back, drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_networks import NETWORKS

from graphprune import models
from graphprune.curvature.reference import edge_curvatures, parameter_curvatures
from graphprune.errors import UserError
from graphprune.neural_graph import export, trace, values
from graphprune.neural_graph.edges import write_out


@pytest.fixture(scope="module")
def residual():
    """A tiny traced residual network with the curvatures of one example."""
    model, _, shape = NETWORKS["residual"](0)
    traced = trace(model, shape)
    example = [v[0] for v in values(traced, torch.rand(1, *shape).double())]
    return traced.graph, edge_curvatures(traced.graph, example), example


def test_saved_graph_loads_back(residual, tmp_path) -> None:
    from graph_tool import load_graph

    graph, kappa, _ = residual
    path = tmp_path / "graph.gt.zst"
    assert export.save(path, graph, kappa) == "neuron"
    assert path.read_bytes()[:4] == b"\x28\xb5\x2f\xfd"  # Zstandard's magic number
    assert [p.name for p in tmp_path.iterdir()] == ["graph.gt.zst"]
    loaded = load_graph(str(path))
    edges = write_out(graph)
    assert loaded.num_vertices() == graph.vertices
    assert loaded.num_edges() == graph.edges == len(edges.weight)
    names = ("weight", "length", "layer", "curvature")
    found = loaded.get_edges([loaded.edge_properties[name] for name in names])
    curvature = np.concatenate([k.ravel() for k in kappa])  # no weight is 0 here
    columns = (edges.source, edges.target, edges.weight, edges.length, edges.connection, curvature)
    expected = np.column_stack(columns)
    for rows in (found, expected):
        rows[:] = rows[np.lexsort((rows[:, 4], rows[:, 1], rows[:, 0]))]
    np.testing.assert_array_equal(found, expected)
    layers = loaded.vertex_properties["layer"].a
    assert np.bincount(layers).tolist() == [x.size for x in graph.layers]
    assert list(loaded.graph_properties["layer_names"]) == [x.name for x in graph.layers]
    for name, column in (("channel", [0, 0, 1, 1]), ("place", [0, 1] * 2)):
        assert loaded.vertex_properties[name].a[layers == 1].tolist() == column


def test_distances_on_the_written_graph(residual) -> None:
    """graph-tool's shortest path from the mean of channel 0 to class 1 is their one edge."""
    from graph_tool.topology import shortest_distance

    graph, _, _ = residual
    made = export.to_graph_tool(graph)
    pooled = int(np.flatnonzero(made.vertex_properties["layer"].a == len(graph.layers) - 2)[0])
    found = shortest_distance(
        made, pooled, made.num_vertices() - 1, weights=made.edge_properties["length"]
    )
    assert found == pytest.approx(1 / abs(graph.connections[-1].weight[0, 1, 0, 0]))


def test_curvature_of_a_parameter_on_all_its_edges(residual) -> None:
    graph, _, example = residual
    kappa = parameter_curvatures(graph, [v[None] for v in example])
    made = export.to_graph_tool(graph, export.spread(graph, kappa))
    per_edge = made.edge_properties["curvature"].a
    connection = made.edge_properties["layer"].a
    for index, c in enumerate(graph.connections):
        own = per_edge[connection == index]
        if c.parameter is None:
            assert np.isnan(own).all()
        else:
            assert set(own) == set(kappa[c.parameter].ravel()) - {np.inf}  # ∞: no edge


def test_large_graphs_are_described_by_layer(residual, tmp_path) -> None:
    from graph_tool import load_graph

    graph, kappa, _ = residual
    with pytest.raises(UserError, match=f"{graph.edges} edges; allowed: at most 10"):
        export.to_graph_tool(graph, kappa, max_edges=10)
    assert export.save(tmp_path / "graph.gt.zst", graph, kappa, max_edges=10) == "layer"
    loaded = load_graph(str(tmp_path / "graph.gt.zst"))
    assert loaded.num_vertices() == len(graph.layers)
    assert int(loaded.edge_properties["edges"].a.sum()) == graph.edges
    assert loaded.graph_properties["level"] == "layer"


@pytest.mark.parametrize("max_edges", [3000, 50])
def test_drawing(residual, tmp_path, max_edges: int) -> None:
    from matplotlib.image import imread

    graph, kappa, _ = residual
    path = tmp_path / "graph.png"
    export.draw(path, export.to_graph_tool(graph, kappa), max_edges=max_edges)
    image = imread(path)
    assert image.shape[:2] == (800, 1200)
    inked = (image[..., :3].min(axis=2) < 0.95).any(axis=0)
    # layers stand side by side over the whole width
    assert inked[:200].any()
    assert inked[-200:].any()


def test_description() -> None:
    graph = trace(models.build("lenet5", (1, 28, 28), 10), (1, 28, 28)).graph
    described = export.describe(graph)
    assert described["edges"] == 128040
    assert [layer["shape"] for layer in described["layers"]] == [
        *([1, 28, 28], [6, 12, 12], [16, 4, 4]),
        *([120], [84], [10]),
    ]
    assert [c["edges"] for c in described["connections"]] == [31104, 55296, 30720, 10080, 840]
