"""Regular graphs and neural graphs, drawn."""

from __future__ import annotations

import numpy as np
from figure_examples import FAMILIES, net, ring
from matplotlib.collections import LineCollection

from graphprune import figures


def test_regular_graph_draws_every_edge_and_states_its_aspl() -> None:
    figure = FAMILIES["regular"]()
    circle, blocks = figure.axes
    (edges,) = [c for c in circle.collections if isinstance(c, LineCollection)]
    assert len(edges.get_segments()) == 8
    heading = figure.get_suptitle()  # ring of 8: distances 1 1 2 2 3 3 4, mean 16/7
    assert "n = 8, k = 2" in heading
    assert "ASPL 2.286 (Moore bound 2.286)" in heading
    np.testing.assert_array_equal(blocks.images[0].get_array(), ring())


def test_where_every_layer_is_dense_the_figure_says_so() -> None:
    figure = figures.no_regular_graph("digits · mlp")
    assert figure.get_suptitle() == "digits · mlp"
    assert [text.get_text() for text in figure.texts if "dense" in text.get_text()]


def test_neural_graph_draws_the_most_negative_edges_on_top() -> None:
    ax = net().axes[0]
    (edges,) = [c for c in ax.collections if isinstance(c, LineCollection)]
    columns = [tuple(segment[:, 0]) for segment in edges.get_segments()]
    assert columns == [(1, 2), (0, 1), (0, 1), (0, 1)]
    reds = edges.get_colors()
    assert reds[-1][0] > reds[-1][2]  # most negative: red
    assert reds[0][2] > reds[0][0]  # positive: blue
