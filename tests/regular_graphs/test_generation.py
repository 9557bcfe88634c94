"""Random regular graphs."""

from __future__ import annotations

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st
from regular_graph_examples import sizes

from graphprune.regular_graphs import random_regular_graph


@given(sizes(), st.integers(0, 2**40), st.sampled_from(["graph-tool", "numpy"]))
@settings(max_examples=15, deadline=None)
def test_random_graphs_are_regular_connected_and_reproducible(size, seed, generator):
    n, k = size
    graph = random_regular_graph(n, k, seed, generator)
    assert (graph == graph.T).all()
    assert not graph.diagonal().any()
    assert (graph.sum(0) == k).all()
    assert nx.is_connected(nx.from_numpy_array(graph))
    assert (graph == random_regular_graph(n, k, seed, generator)).all()
