"""The neural graph as a ``graph_tool.Graph``: written out, saved, drawn."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphprune.defaults import MAX_EDGES
from graphprune.errors import UserError
from graphprune.files import atomic
from graphprune.neural_graph.edges import weights, write_out
from graphprune.neural_graph.structure import Connection, Floats, NeuralGraph

WIDTH, HEIGHT = 15.0, 10.0  # size of a drawing's layout, as the position property has it


def describe(graph: NeuralGraph) -> dict[str, object]:
    """Layers and connections as plain lists and numbers, for JSON."""
    names = [layer.name for layer in graph.layers]
    return {
        "vertices": graph.vertices,
        "edges": graph.edges,
        "layers": [
            {
                "name": layer.name,
                "role": layer.role,
                "shape": list(layer.shape),
                "vertices": layer.size,
            }
            for layer in graph.layers
        ],
        "connections": [
            {
                "source": names[c.source],
                "target": names[c.target],
                "parameter": c.parameter,
                "edges": c.edges,
            }
            for c in graph.connections
        ],
    }


def spread(graph: NeuralGraph, by_parameter: Mapping[str, Floats]) -> list[Floats]:
    """One number for each weight, such as κ_min, given to all edges of the weight.

    by_parameter: float64 arrays of the parameters' shapes, by name. Returns one array ``(groups,
    cout, cin, len(pairs))`` a connection, as ``edge_curvatures`` does; NaN where there is no
    parameter.
    """
    return [_spread_one(c, by_parameter) for c in graph.connections]


def _spread_one(connection: Connection, by_parameter: Mapping[str, Floats]) -> Floats:
    if connection.parameter is None:
        return np.full(weights(connection).shape, np.nan)
    of_weights = np.asarray(by_parameter[connection.parameter]).reshape(connection.weight.shape)
    return of_weights[..., connection.pairs[:, 2]]


def to_graph_tool(
    graph: NeuralGraph,
    curvatures: Sequence[Floats] | None = None,
    max_edges: int = MAX_EDGES,
) -> Any:
    """The graph written out, one vertex a neuron and one edge a multiplication.

    Parameters
    ----------
    graph : neural graph.
    curvatures : κ of the edges as ``edge_curvatures`` or ``spread`` gives it; None leaves out the
        property ``curvature``.
    max_edges : a graph with more edges is refused.

    Returns
    -------
    A directed ``graph_tool.Graph``. Vertex properties: ``layer`` (int, index), ``channel`` and
    ``place`` (int, position in the map), ``position`` (vector of two doubles, a layered layout).
    Edge properties: ``weight``, ``length`` (double), ``layer`` (int, index of the connection),
    ``curvature`` (double, NaN where undefined). Graph properties: ``level`` ("neuron"),
    ``layer_names`` and ``parameters`` (vectors of strings).

    Raises
    ------
    UserError : more than ``max_edges`` edges.
    """
    import graph_tool

    if graph.edges > max_edges:
        raise UserError(f"the neural graph has {graph.edges} edges; allowed: at most {max_edges}")
    edges = write_out(graph)
    made = graph_tool.Graph(directed=True)
    made.add_vertex(graph.vertices)
    made.add_edge_list(np.column_stack([edges.source, edges.target]))
    columns: dict[str, tuple[str, Any]] = {
        "weight": ("double", edges.weight),
        "length": ("double", edges.length),
        "layer": ("int", edges.connection),
    }
    if curvatures is not None:
        of_connections = [
            kappa[weights(connection) != 0]
            for kappa, connection in zip(curvatures, graph.connections, strict=True)
        ]
        columns["curvature"] = ("double", np.concatenate(of_connections))
    for name, (kind, column) in columns.items():
        made.edge_properties[name] = made.new_edge_property(kind, vals=column)
    for name, column in _indices(graph).items():
        made.vertex_properties[name] = made.new_vertex_property("int", vals=column)
    _set_positions(made, _layout(graph))
    _set_names(made, graph, "neuron")
    return made


def layers_to_graph_tool(graph: NeuralGraph) -> Any:
    """The graph of layers: one vertex a layer, one edge a connection.

    Vertex properties: ``name`` (string), ``size`` (int), ``layer`` (int), ``position``; edge
    properties: ``edges`` (int64, how many it stands for), ``parameter`` (string, "" if none),
    ``layer`` (int, index of the connection). Graph properties are those of ``to_graph_tool``, with
    ``level`` "layer".
    """
    import graph_tool

    made = graph_tool.Graph(directed=True)
    count = len(graph.layers)
    made.add_vertex(count)
    pairs = np.array([(c.source, c.target) for c in graph.connections]).reshape(-1, 2)
    made.add_edge_list(pairs)
    vertices, edges = made.vertex_properties, made.edge_properties
    vertices["name"] = made.new_vertex_property("string", vals=[x.name for x in graph.layers])
    vertices["size"] = made.new_vertex_property("int64_t", vals=[x.size for x in graph.layers])
    vertices["layer"] = made.new_vertex_property("int", vals=np.arange(count))
    edges["edges"] = made.new_edge_property("int64_t", vals=[c.edges for c in graph.connections])
    names = [c.parameter or "" for c in graph.connections]
    edges["parameter"] = made.new_edge_property("string", vals=names)
    edges["layer"] = made.new_edge_property("int", vals=np.arange(len(names)))
    # heights in this order keep a shortcut from being drawn over the layers that it skips
    heights = HEIGHT / 4 * np.array([0, 2, 1, 3])[np.arange(count) % 4]
    _set_positions(made, np.column_stack([_columns(count), heights]))
    _set_names(made, graph, "layer")
    return made


def save(
    path: str | Path,
    graph: NeuralGraph,
    curvatures: Sequence[Floats] | None = None,
    max_edges: int = MAX_EDGES,
) -> str:
    """Write the graph to ``path`` (``.gt`` or ``.gt.zst``), atomically.

    Up to ``max_edges`` edges it has one vertex a neuron, above that one vertex a layer. Returns
    which: "neuron" or "layer"; the file has it as graph property ``level``.
    """
    if graph.edges <= max_edges:
        made = to_graph_tool(graph, curvatures, max_edges)
    else:
        made = layers_to_graph_tool(graph)
    with atomic(path) as temporary:
        made.save(str(temporary))
    return str(made.graph_properties["level"])


def draw(path: str | Path, made: Any, max_edges: int = 3000) -> None:
    """Draw a graph of this module to ``path`` (PNG, PDF or SVG by its suffix), atomically.

    made: from ``to_graph_tool`` or ``layers_to_graph_tool``. Layers stand side by side. At most
    ``max_edges`` edges are drawn: the shortest ones of each connection, the same number of each.
    With the property ``curvature``, edges of negative κ are blue, others orange; without it all are
    grey.
    """
    import graph_tool

    with warnings.catch_warnings():  # graph-tool warns that it cannot open windows; none is needed
        warnings.filterwarnings("ignore", message=".*Gtk")
        from graph_tool.draw import graph_draw

    view = made
    if made.num_edges() > max_edges:
        kept = _shortest(made, max_edges)
        view = graph_tool.GraphView(made, efilt=made.new_edge_property("bool", vals=kept))
    opacity = max(0.15, min(0.9, 100 / view.num_edges()))
    colour: Any = [0.3, 0.3, 0.3, opacity]
    if "curvature" in made.edge_properties:
        blue, orange = [0.0, 0.45, 0.70, opacity], [0.90, 0.62, 0.0, opacity]
        kappa = made.edge_properties["curvature"].a
        table = [blue if negative else orange for negative in kappa < 0]
        colour = made.new_edge_property("vector<double>", vals=table)
    labels = {}
    if "name" in made.vertex_properties:  # layers, not neurons
        labels = {
            "vertex_text": made.vertex_properties["name"],
            "vertex_text_position": 1.57,  # below
            "vertex_text_color": [0, 0, 0, 1],
            "vertex_font_size": 11,
        }
    with atomic(path) as temporary:
        graph_draw(
            view,
            pos=made.vertex_properties["position"],
            output=str(temporary),
            output_size=(1200, 800),
            adjust_aspect=False,
            bg_color=[1, 1, 1, 1],
            vertex_size=max(1.0, min(12.0, 3000 / made.num_vertices())),
            vertex_fill_color=[0.2, 0.2, 0.2, 1],
            vertex_pen_width=0,
            edge_pen_width=1.0,
            edge_end_marker="none",
            edge_color=colour,
            **labels,
        )


def _shortest(made: Any, count: int) -> Any:
    """Which edges are among the shortest of their connection, ``count`` in all; ``(edges,)``."""
    connection = made.edge_properties["layer"].a
    order = np.lexsort((made.edge_properties["length"].a, connection))
    sizes = np.bincount(connection)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    kept = np.zeros(len(order), dtype=bool)
    kept[order] = rank < count // np.count_nonzero(sizes)
    return kept


def _indices(graph: NeuralGraph) -> dict[str, Any]:
    """Layer, channel and position ("place") of each vertex; graph-tool's "position" is where it is
    drawn.
    """
    layers = graph.layers
    return {
        "layer": np.repeat(np.arange(len(layers)), [layer.size for layer in layers]),
        "channel": np.concatenate([np.arange(x.size) // x.positions for x in layers]),
        "place": np.concatenate([np.arange(x.size) % x.positions for x in layers]),
    }


def _layout(graph: NeuralGraph) -> Floats:
    """One column a layer, its vertices spread evenly over the height, ``(vertices, 2)``."""
    columns = []
    for x, layer in zip(_columns(len(graph.layers)), graph.layers, strict=True):
        y = (np.arange(layer.size) + 0.5) / layer.size * HEIGHT
        columns.append(np.column_stack([np.full(layer.size, x), y]))
    return np.concatenate(columns)


def _columns(count: int) -> Floats:
    return np.linspace(0.0, WIDTH, count)


def _set_positions(made: Any, positions: Any) -> None:
    position = made.new_vertex_property("vector<double>")
    position.set_2d_array(np.asarray(positions, dtype=np.float64).T)
    made.vertex_properties["position"] = position


def _set_names(made: Any, graph: NeuralGraph, level: str) -> None:
    properties = {
        "level": ("string", level),
        "layer_names": ("vector<string>", [layer.name for layer in graph.layers]),
        "parameters": ("vector<string>", [c.parameter or "" for c in graph.connections]),
    }
    for name, (kind, value) in properties.items():
        made.graph_properties[name] = made.new_graph_property(kind, val=value)
