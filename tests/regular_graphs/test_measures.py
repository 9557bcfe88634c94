"""Path lengths, diameter and spectral gap against networkx, graph-tool and numpy."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from regular_graph_examples import neighbours_of, sums

from graphprune.errors import UserError
from graphprune.regular_graphs import aspl, describe, distances, random_regular_graph


@pytest.mark.parametrize(("n", "k"), [(20, 3), (64, 4), (70, 5), (130, 4)])
def test_aspl_equals_networkx_and_graph_tool(n, k):
    import graph_tool
    from graph_tool.topology import shortest_distance

    graph = random_regular_graph(n, k, 7, "numpy")
    expected = nx.average_shortest_path_length(nx.from_numpy_array(graph))
    assert aspl(graph) == pytest.approx(expected, abs=1e-12)
    library = graph_tool.Graph(directed=False)
    library.add_vertex(n)
    library.add_edge_list(np.argwhere(np.triu(graph)))
    lengths = shortest_distance(library)
    table = np.array([lengths[vertex].a for vertex in range(n)])
    assert (distances(graph) == table).all()
    found = describe(graph)
    assert found.diameter == table.max()
    assert found.spectral_gap == pytest.approx(k - np.linalg.eigvalsh(graph * 1.0)[-2])
    assert sums(neighbours_of(graph), 1) == (table.sum(), table.sum())


def test_describe_refuses_what_is_no_regular_graph():
    with pytest.raises(UserError, match="degrees"):
        describe(nx.to_numpy_array(nx.path_graph(4)) > 0)
    with pytest.raises(UserError, match="simple"):
        describe(np.ones((3, 3), dtype=bool))
    with pytest.raises(UserError, match="boolean"):
        describe(np.ones((3, 3)))
