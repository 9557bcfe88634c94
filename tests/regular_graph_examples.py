"""Sizes of regular graphs, and sums of distances by both breadth-first searches."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from graphprune.regular_graphs import degrees
from graphprune.regular_graphs.breadth_first import distance_sum_few, distance_sum_many, write_rows


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
