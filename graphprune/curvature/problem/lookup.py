"""Single distances, read from the matrices of the distance tables. Compiled with numba."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from graphprune.curvature.problem.distances import DistanceTable
from graphprune.curvature.simplex.spanning_tree import Indices
from graphprune.neural_graph.structure import Floats, Ints


class FlatTables(NamedTuple):
    """Several distance tables (``distances.DistanceTable``) one behind the other in flat arrays.

    Table i: its ``start`` begins at ``row_begin[i]``, its ``position`` and ``pair_class`` at
    ``pair_begin[i]``, its matrices, ``sources[i] × targets[i]`` channels each, at
    ``matrix_begin[i]`` of ``matrix``.
    """

    row_begin: Ints
    pair_begin: Ints
    matrix_begin: Ints
    sources: Ints
    targets: Ints
    start: Ints
    position: Ints
    pair_class: Ints
    matrix: Floats


class VertexList(NamedTuple):
    """Vertices as parallel arrays, in order of (slot, position)."""

    slot: Indices
    position: Indices
    channel: Indices


def flatten(tables: list[DistanceTable]) -> FlatTables:
    """Put tables one behind the other."""

    def begin(sizes: list[int]) -> Ints:
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    return FlatTables(
        begin([len(table.start) for table in tables]),
        begin([len(table.position) for table in tables]),
        begin([table.matrices.size for table in tables]),
        np.array([table.matrices.shape[1] for table in tables], np.int64),
        np.array([table.matrices.shape[2] for table in tables], np.int64),
        np.concatenate([table.start for table in tables]),
        np.concatenate([table.position for table in tables]),
        np.concatenate([table.pair_class for table in tables]),
        tables[0].matrices.reshape(-1)
        if len(tables) == 1
        else np.concatenate([table.matrices.reshape(-1) for table in tables]),
    )


@njit(cache=True, nogil=True)
def matrix_begin(tables: FlatTables, table: int, source: int, target: int) -> int:
    """Where the matrix of a position pair begins; −1 where no path joins the positions."""
    row = tables.row_begin[table] + source
    low = tables.pair_begin[table] + tables.start[row]
    high = tables.pair_begin[table] + tables.start[row + 1]
    while low < high:
        middle = (low + high) >> 1
        if tables.position[middle] < target:
            low = middle + 1
        else:
            high = middle
    if low >= tables.pair_begin[table] + tables.start[row + 1] or tables.position[low] != target:
        return -1
    size = tables.sources[table] * tables.targets[table]
    return int(tables.matrix_begin[table] + tables.pair_class[low] * size)


@njit(cache=True, nogil=True)
def read_distances(
    tables: FlatTables, table_of: Ints, rows: VertexList, row_begin: int, row_end: int,
    columns: VertexList, column_begin: int, column_end: int, out: Floats,
) -> None:  # fmt: skip
    """out[i, j] = distance from vertex i of ``rows`` to vertex j of ``columns``, in their ranges.

    table_of: ``(row slots, column slots)`` table of each pair of slots, −1 where no path leads.
    """
    i = row_begin
    while i < row_end:
        i_end = i + 1
        while (
            i_end < row_end
            and rows.position[i_end] == rows.position[i]
            and rows.slot[i_end] == rows.slot[i]
        ):
            i_end += 1
        j = column_begin
        while j < column_end:
            j_end = j + 1
            while (
                j_end < column_end
                and columns.position[j_end] == columns.position[j]
                and columns.slot[j_end] == columns.slot[j]
            ):
                j_end += 1
            table = table_of[rows.slot[i], columns.slot[j]]
            matrix = -1
            if table >= 0:
                matrix = matrix_begin(tables, table, rows.position[i], columns.position[j])
            for x in range(i, i_end):
                row = out[x - row_begin]
                if matrix < 0:
                    for y in range(j, j_end):
                        row[y - column_begin] = np.inf
                else:
                    line = matrix + rows.channel[x] * tables.targets[table]
                    for y in range(j, j_end):
                        row[y - column_begin] = tables.matrix[line + columns.channel[y]]
            j = j_end
        i = i_end
