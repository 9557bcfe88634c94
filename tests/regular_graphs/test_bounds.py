"""Which regular graphs exist, and the Moore bound."""

from __future__ import annotations

import itertools

import networkx as nx
import pytest

from graphprune.regular_graphs import degrees, moore_bound, regular_graph
from graphprune.regular_graphs.bounds import moore_levels


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
