"""Distances of one transport problem, read from the class matrices. Compiled with numba."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from graphprune.curvature.distances import DistanceTable
from graphprune.curvature.spanning_tree import Indices
from graphprune.neural_graph.structure import Floats, Ints


class Tables(NamedTuple):
    """Several distance tables in flat arrays.

    Table i: ``start[row[i]:row[i + 1]]`` points into ``position`` and ``group`` (from ``pair[i]``
    on); its matrices lie in ``matrix`` from ``origin[i]`` on, ``sources[i] × targets[i]`` each.
    """

    row: Ints
    pair: Ints
    origin: Ints
    sources: Ints
    targets: Ints
    start: Ints
    position: Ints
    group: Ints
    matrix: Floats


class Entries(NamedTuple):
    """Vertices as parallel arrays, ordered by (slot, position)."""

    slot: Indices
    position: Indices
    channel: Indices


def flatten(tables: list[DistanceTable]) -> Tables:
    """Put tables one behind the other."""

    def before(sizes: list[int]) -> Ints:
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    return Tables(
        before([len(table.start) for table in tables]),
        before([len(table.position) for table in tables]),
        before([table.matrices.size for table in tables]),
        np.array([table.matrices.shape[1] for table in tables], np.int64),
        np.array([table.matrices.shape[2] for table in tables], np.int64),
        np.concatenate([table.start for table in tables]),
        np.concatenate([table.position for table in tables]),
        np.concatenate([table.group for table in tables]),
        tables[0].matrices.reshape(-1)
        if len(tables) == 1
        else np.concatenate([table.matrices.reshape(-1) for table in tables]),
    )


@njit(cache=True, nogil=True)
def matrix_start(tables: Tables, table: int, source: int, target: int) -> int:
    """Where the matrix of a position pair begins; −1 where no path joins the positions."""
    at = tables.row[table] + source
    low = tables.pair[table] + tables.start[at]
    high = tables.pair[table] + tables.start[at + 1]
    while low < high:
        middle = (low + high) >> 1
        if tables.position[middle] < target:
            low = middle + 1
        else:
            high = middle
    if low >= tables.pair[table] + tables.start[at + 1] or tables.position[low] != target:
        return -1
    size = tables.sources[table] * tables.targets[table]
    return int(tables.origin[table] + tables.group[low] * size)


@njit(cache=True, nogil=True)
def gather(
    tables: Tables, ids: Ints, rows: Entries, row_first: int, row_last: int, cols: Entries,
    col_first: int, col_last: int, out: Floats,
) -> None:  # fmt: skip
    """out[i, j] = distance from row vertex i to column vertex j.

    ids: ``(row slots, column slots)`` table of each pair of slots, −1 where no path leads.
    """
    i = row_first
    while i < row_last:
        i_end = i + 1
        while (
            i_end < row_last
            and rows.position[i_end] == rows.position[i]
            and rows.slot[i_end] == rows.slot[i]
        ):
            i_end += 1
        j = col_first
        while j < col_last:
            j_end = j + 1
            while (
                j_end < col_last
                and cols.position[j_end] == cols.position[j]
                and cols.slot[j_end] == cols.slot[j]
            ):
                j_end += 1
            table = ids[rows.slot[i], cols.slot[j]]
            base = -1
            if table >= 0:
                base = matrix_start(tables, table, rows.position[i], cols.position[j])
            for x in range(i, i_end):
                row = out[x - row_first]
                if base < 0:
                    for y in range(j, j_end):
                        row[y - col_first] = np.inf
                else:
                    line = base + rows.channel[x] * tables.targets[table]
                    for y in range(j, j_end):
                        row[y - col_first] = tables.matrix[line + cols.channel[y]]
            j = j_end
        i = i_end
