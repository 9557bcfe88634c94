"""The graph search: degrees, connectivity, path lengths, bounds, determinism."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from graphprune.errors import UserError
from graphprune.regular_graphs import (
    aspl,
    aspl_accuracy_correlation,
    degrees,
    describe,
    distances,
    graphs_across_aspl,
    moore_bound,
    random_regular_graph,
    regular_graph,
)
from graphprune.regular_graphs.bounds import moore_levels
from graphprune.regular_graphs.breadth_first import (
    DISCONNECTED,
    TOO_LONG,
    distance_sum_few,
    distance_sum_many,
    write_rows,
)
from graphprune.regular_graphs.experiment import spearman
from graphprune.regular_graphs.generation import circulant_neighbours


def neighbours_of(adjacency):
    return np.nonzero(adjacency)[1].reshape(len(adjacency), -1).astype(np.int32)


def sums(neighbours, g, limit=np.inf):
    """Both searches' sum of distances."""
    n = len(neighbours)
    reach = np.zeros((2, n, (n // g + 63) // 64), np.uint64)
    rows = np.zeros((n, (n + 63) // 64), np.uint64)
    write_rows(neighbours, rows)
    work = np.zeros((3, rows.shape[1]), np.uint64)
    return (
        distance_sum_many(neighbours, g, reach[0], reach[1]),
        distance_sum_few(neighbours, rows, g, work, limit),
    )


@st.composite
def sizes(draw, largest=70):
    n = draw(st.integers(3, largest))
    return n, draw(st.sampled_from(degrees(n)))


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


@pytest.mark.parametrize(("n", "k", "g"), [(60, 4, 12), (64, 5, 16), (130, 3, 13), (132, 6, 4)])
def test_one_source_an_orbit_gives_the_same_aspl(n, k, g):
    # the circulant graph is unchanged by rotation by m = n/g; vertex x·m + b is (b, x)
    m = n // g
    number = np.arange(n) % m * g + np.arange(n) // m
    neighbours = np.empty((n, k), np.int32)
    neighbours[number] = number[circulant_neighbours(n, k)]
    whole = sums(neighbours, 1)[0]
    assert sums(neighbours, g) == (whole // g, whole // g)
    assert whole % g == 0


def test_early_end_only_where_the_sum_exceeds_the_limit():
    neighbours = neighbours_of(random_regular_graph(64, 4, 3, "numpy"))
    total = sums(neighbours, 1)[0]
    assert sums(neighbours, 1, limit=total) == (total, total)
    assert sums(neighbours, 1, limit=total - 1) == (total, TOO_LONG)


def test_disconnected_graphs_are_recognised():
    triangles = np.kron(np.eye(4, dtype=bool), ~np.eye(3, dtype=bool))
    assert sums(neighbours_of(triangles), 1) == (DISCONNECTED, DISCONNECTED)
    assert distances(triangles)[0, 3] == -1
    with pytest.raises(UserError, match="not connected"):
        aspl(triangles)


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


def test_graphs_across_the_range():
    lengths = [aspl(g) for g in graphs_across_aspl(24, 4, 5, 0, 3000, "numpy")]
    assert lengths == sorted(lengths)
    steps = np.diff(np.log(lengths))
    assert steps.min() > 0.5 * steps.max()


def test_moore_levels_by_hand():
    assert moore_levels(64, 4) == [4, 12, 36, 11]
    assert moore_bound(64, 4) == pytest.approx((4 + 24 + 108 + 44) / 63)
    assert moore_bound(64, 8) == pytest.approx(118 / 63)
    assert moore_bound(6, 5) == 1.0
    assert moore_bound(5, 2) == 1.5
    assert moore_bound(1, 0) == 0.0


def test_degrees_are_those_for_which_a_graph_is_found():
    for n, k in itertools.product(range(1, 9), range(9)):
        possible = k < n and n * k % 2 == 0 and (k >= 2 or (n, k) in ((1, 0), (2, 1)))
        assert (k in degrees(n)) == possible
        if possible:
            assert nx.is_connected(nx.from_numpy_array(regular_graph(n, k, evaluations=50)))


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


def test_describe_refuses_what_is_no_regular_graph():
    with pytest.raises(UserError, match="degrees"):
        describe(nx.to_numpy_array(nx.path_graph(4)) > 0)
    with pytest.raises(UserError, match="simple"):
        describe(np.ones((3, 3), dtype=bool))
    with pytest.raises(UserError, match="boolean"):
        describe(np.ones((3, 3)))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=20))
@settings(max_examples=30, deadline=None)
def test_spearman_equals_scipy(points):
    x, y = np.array(points, dtype=float).T
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert np.isnan(spearman(x, y))
    else:
        assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


def test_correlation_of_aspl_and_accuracy():
    generator = np.random.default_rng(0)
    graph = np.repeat(np.arange(9), 4)
    table = {
        "graph": graph,
        "aspl": 2.8 + 0.3 * graph,
        "accuracy": 0.95 - 0.02 * graph + 0.005 * generator.standard_normal(len(graph)),
    }
    found = aspl_accuracy_correlation(table, resamples=2000)
    means = table["accuracy"].reshape(9, 4).mean(1)
    assert found.rho == pytest.approx(stats.spearmanr(np.arange(9), means).statistic)
    assert -1.0 <= found.low < found.high < -0.5
    assert found.p_value < 0.01
    assert (found.graphs, found.runs) == (9, 36)
    table["accuracy"] = generator.random(len(graph))
    assert aspl_accuracy_correlation(table, resamples=2000).p_value > 0.05


def test_correlation_refuses_bad_tables():
    with pytest.raises(UserError, match="no column 'aspl'"):
        aspl_accuracy_correlation({"graph": [1], "accuracy": [1.0]})
    with pytest.raises(UserError, match="several values"):
        aspl_accuracy_correlation({"graph": [1, 1], "aspl": [2.0, 3.0], "accuracy": [0.1, 0.2]})
    with pytest.raises(UserError, match="at least 3"):
        aspl_accuracy_correlation({"graph": [1, 2], "aspl": [2.0, 3.0], "accuracy": [0.1, 0.2]})
    with pytest.raises(UserError, match="NaN"):
        aspl_accuracy_correlation({"graph": [1], "aspl": [np.nan], "accuracy": [0.1]})
