"""From a neural graph and vertex values to the arrays of one connection's transport problems."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphprune.curvature.definitions import inactive, supremum
from graphprune.curvature.distances import Distances, DistanceTable
from graphprune.curvature.gather import Entries, flatten
from graphprune.curvature.problem import MEETS, Flags, Problem
from graphprune.curvature.supports import Neighbours, Supports, neighbours, supports
from graphprune.neural_graph.structure import Connection, Floats, Ints, NeuralGraph

# Mass left out of p and q may change no curvature of the connection by more than this.
NEGLIGIBLE = 1e-12


@dataclass(frozen=True, eq=False)
class Built:
    """A connection's problem and what the driver must know about it.

    sizes: ``(units, blocks)`` nodes of each base problem.
    block_of: ``(groups * cout * cin,)`` block of each channel pair.
    error: bound of the change of any curvature by mass left out and bounds that nearly meet.
    """

    problem: Problem
    sizes: Ints
    block_of: Ints
    error: float
    largest_p: int
    largest_q: int


def build_problem(
    graph: NeuralGraph,
    connection: Connection,
    values: list[Floats],
    alpha: float,
    distances: Distances,
) -> Built:
    """All transport problems of ``connection`` for the examples of ``values``."""
    source, target = connection.source, connection.target
    before = neighbours(graph, source, inward=True)
    after = neighbours(graph, target, inward=False)
    ids, tables = _tables(distances, before, after, source, target)
    with np.errstate(divide="ignore"):
        length = 1.0 / np.abs(connection.weight)
    # costs relative to an edge's length: the factor by which a lost mass can matter
    longest = max(
        [float(t.matrices[np.isfinite(t.matrices)].max(initial=0.0)) for t in tables], default=0.0
    )
    ratio = 1.0 + longest / float(length.min(initial=1.0))
    p = supports(before, graph, values, NEGLIGIBLE / ratio)
    q = supports(after, graph, values, NEGLIGIBLE / ratio)
    group, cls_in, cls_out, members_b, members_a, block_of = _blocks(connection, before, after)
    layers = graph.layers
    problem = Problem(
        source=np.ascontiguousarray(connection.pairs[:, 0]),
        target=np.ascontiguousarray(connection.pairs[:, 1]),
        tap=np.ascontiguousarray(connection.pairs[:, 2]),
        length=np.ascontiguousarray(length),
        block_group=group,
        block_in=cls_in,
        block_out=cls_out,
        first_b=_starts(members_b),
        first_a=_starts(members_a),
        members_b=np.concatenate(members_b),
        members_a=np.concatenate(members_a),
        source_channel=connection.source_channel,
        target_channel=connection.target_channel,
        source_positions=layers[source].positions,
        target_positions=layers[target].positions,
        in_classes=before.count,
        out_classes=after.count,
        active_u=_active(graph, source, values),
        active_v=_active(graph, target, values),
        p_start=p.start,
        p_entries=Entries(p.slot, p.position, p.channel),
        p_mass=p.mass,
        q_start=q.start,
        q_entries=Entries(q.slot, q.position, q.channel),
        q_mass=q.mass,
        tables=flatten(tables),
        across=ids[0],
        to_v=ids[1],
        from_u=ids[2],
        direct=ids[3],
        alpha=alpha,
        supremum=supremum(graph, connection),
    )
    error = (p.dropped + q.dropped) * ratio + MEETS
    sizes = _sizes(problem, p, q, len(values[0]))
    return Built(problem, sizes, block_of, error, p.largest, q.largest)


def _starts(lists: list[Ints]) -> Ints:
    return np.concatenate([[0], np.cumsum([len(entry) for entry in lists])]).astype(np.int64)


def _active(graph: NeuralGraph, layer: int, values: list[Floats]) -> Flags:
    return np.stack([~inactive(graph, layer, level) for level in values[layer]])


def _tables(
    distances: Distances, before: Neighbours, after: Neighbours, source: int, target: int
) -> tuple[tuple[Ints, Ints, Ints, Ints], list[DistanceTable]]:
    """The tables an edge's problem reads, as indices by slot, −1 where no path leads."""
    tables: list[DistanceTable] = []

    def ids(rows: tuple[int, ...], columns: tuple[int, ...]) -> Ints:
        found = np.full((len(rows), len(columns)), -1, np.int64)
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                table = distances.table(row, column)
                if table is not None:
                    found[i, j] = len(tables)
                    tables.append(table)
        return found

    across = ids(before.layers, after.layers)
    to_v = ids(before.layers, (target,))
    from_u = ids((source,), after.layers)
    direct = np.full((1, 1), -1, np.int64)
    if distances.has_shortcut(source, target) or not tables:
        direct = ids((source,), (target,))
    return (across, to_v, from_u, direct), tables


def _blocks(
    connection: Connection, before: Neighbours, after: Neighbours
) -> tuple[Ints, Ints, Ints, list[Ints], list[Ints], Ints]:
    """Groups of channel pairs that share p and q."""
    groups, cout, cin, _ = connection.weight.shape
    rows: list[tuple[int, int, int]] = []
    members_b, members_a = [], []
    block_of = np.empty((groups, cout, cin), np.int64)
    for g in range(groups):
        first_b = connection.source_channel + g * cin
        first_a = connection.target_channel + g * cout
        sources = before.classes[first_b : first_b + cin]
        targets = after.classes[first_a : first_a + cout]
        for cls_in in np.unique(sources):
            b = np.flatnonzero(sources == cls_in)
            for cls_out in np.unique(targets):
                a = np.flatnonzero(targets == cls_out)
                block_of[g, a[:, None], b[None, :]] = len(rows)
                rows.append((g, cls_in, cls_out))
                members_b.append(b)
                members_a.append(a)
    columns = np.array(rows, np.int64).T.copy()
    return columns[0], columns[1], columns[2], members_b, members_a, block_of.reshape(-1)


def _sizes(problem: Problem, p: Supports, q: Supports, examples: int) -> Ints:
    """Nodes of each base problem, ``(units, blocks)``; 0 where p or q is empty."""
    example = np.repeat(np.arange(examples), len(problem.source))[:, None]
    s, t = (np.tile(column, examples)[:, None] for column in (problem.source, problem.target))
    p_row = (example * problem.in_classes + problem.block_in) * problem.source_positions + s
    q_row = (example * problem.out_classes + problem.block_out) * problem.target_positions + t
    n, m = np.diff(p.start)[p_row], np.diff(q.start)[q_row]
    return np.where((n > 0) & (m > 0), n + m, 0)
