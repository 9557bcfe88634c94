"""The graph search: degrees, connectivity, path lengths, determinism."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regular_graph_examples import sizes

from graphprune.errors import UserError
from graphprune.regular_graphs import aspl, moore_bound, random_regular_graph, regular_graph


@given(sizes(), st.integers(0, 5), st.sampled_from(["symmetric", "random", "circulant"]))
@settings(max_examples=25, deadline=None)
def test_search_keeps_degrees_connectivity_and_moore_bound(size, seed, start):
    n, k = size
    graph = regular_graph(n, k, seed, evaluations=200, start=start, generator="numpy")
    assert graph.dtype == np.bool_
    assert graph.shape == (n, n)
    assert (graph == graph.T).all()
    assert not graph.diagonal().any()
    assert (graph.sum(0) == k).all()
    assert nx.is_connected(nx.from_numpy_array(graph))
    assert aspl(graph) >= moore_bound(n, k) - 1e-12


@pytest.mark.parametrize("options", [{}, {"start": "random"}, {"objective": 3.0}])
def test_same_seed_same_graph_on_any_number_of_threads(options):
    options |= {"generator": "numpy", "evaluations": 4000}
    graphs = [regular_graph(48, 4, 5, threads=t, **options) for t in (1, 2, 2)]
    assert (graphs[0] == graphs[1]).all()
    assert (graphs[1] == graphs[2]).all()
    assert (graphs[0] != regular_graph(48, 4, 6, **options)).any()


@pytest.mark.parametrize(("n", "k"), [(10, 3), (14, 3), (16, 3), (15, 4), (24, 5)])
def test_search_finds_graphs_that_meet_the_moore_bound(n, k):
    # Petersen's and Heawood's graph, and the largest of degrees 4 and 5 with diameter 2, among them
    assert aspl(regular_graph(n, k)) == pytest.approx(moore_bound(n, k), abs=1e-12)


def test_search_shortens_paths_and_reaches_the_stated_length():
    start = aspl(random_regular_graph(64, 4, 0, "numpy"))
    assert aspl(regular_graph(64, 4, 0, evaluations=60_000)) <= 2.93 < start


def test_objectives():
    options = {"generator": "numpy", "evaluations": 8000}
    aim = 3.4
    assert abs(aspl(regular_graph(32, 4, 1, objective=aim, **options)) - aim) < 0.01
    longest = aspl(regular_graph(32, 4, 1, objective="max", **options))
    assert longest > aspl(random_regular_graph(32, 4, 1, "numpy")) + 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 5, "k": 3}, "n\\*k is odd"),
        ({"n": 5, "k": 5}, "0 <= k < n"),
        ({"n": 4, "k": 1}, "k >= 2"),
        ({"n": 0, "k": 0}, "n >= 1"),
        ({"n": 8, "k": 3.0}, "whole number"),
        ({"n": 8, "k": 3, "objective": "shortest"}, "objective"),
        ({"n": 8, "k": 3, "objective": -1.0}, "positive"),
        ({"n": 8, "k": 3, "start": "tree"}, "start"),
        ({"n": 8, "k": 3, "generator": "dice"}, "generator"),
        ({"n": 8, "k": 3, "evaluations": 0}, "evaluations"),
        ({"n": 8, "k": 3, "threads": 0}, "threads"),
    ],
)
def test_bad_input_is_one_clear_line(arguments, message):
    with pytest.raises(UserError, match=message) as error:
        regular_graph(**arguments)
    assert "\n" not in str(error.value)
