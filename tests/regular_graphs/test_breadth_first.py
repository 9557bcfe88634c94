"""Sums of distances by two breadth-first searches."""

from __future__ import annotations

import numpy as np
import pytest
from regular_graph_examples import neighbours_of, sums

from graphprune.errors import UserError
from graphprune.regular_graphs import aspl, distances, random_regular_graph
from graphprune.regular_graphs.breadth_first import DISCONNECTED, TOO_LONG
from graphprune.regular_graphs.generation import circulant_neighbours


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
