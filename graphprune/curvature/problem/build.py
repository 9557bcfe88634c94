"""From a neural graph and vertex values to the arrays of one connection's transport problems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from graphprune.curvature.definitions import inactive, supremum
from graphprune.curvature.problem.arrays import MEETS, ConnectionProblems, Flags
from graphprune.curvature.problem.distances import Distances, DistanceTable
from graphprune.curvature.problem.lookup import VertexList, flatten
from graphprune.curvature.problem.supports import (
    Neighbours,
    Supports,
    neighbours_of,
    supports_of,
)
from graphprune.neural_graph.structure import Connection, Floats, Ints, NeuralGraph

# The mass left out of p and q changes no curvature of the connection by more than this.
NEGLIGIBLE = 1e-12


@dataclass(frozen=True, eq=False)
class BuiltProblems:
    """The problems of a connection, and what their driver must know about them.

    nodes: ``(sites, bundles)`` number of nodes of each base problem.
    bundle_of: ``(groups * cout * cin,)`` bundle of each channel pair.
    error: the most that left-out mass and bounds which nearly meet can change any curvature.
    largest_p, largest_q: sizes of the largest supports.
    """

    problems: ConnectionProblems
    nodes: Ints
    bundle_of: Ints
    error: float
    largest_p: int
    largest_q: int


class _Bundles(NamedTuple):
    """The bundles of a connection; the fields are described in ``ConnectionProblems``."""

    group: Ints
    source_class: Ints
    target_class: Ints
    inputs: list[Ints]
    outputs: list[Ints]
    bundle_of: Ints


def build_problems(
    graph: NeuralGraph,
    connection: Connection,
    values: list[Floats],
    alpha: float,
    distances: Distances,
    factors: list[Floats] | None = None,
) -> BuiltProblems:
    """All transport problems of ``connection`` for the examples of ``values``.

    factors: of the vertices, by which lengths are divided (`definitions`); None: lengths as they
    are.
    """
    source, target = connection.source, connection.target
    before = neighbours_of(graph, source, inward=True)
    after = neighbours_of(graph, target, inward=False)
    table_of, tables = _tables(distances, before, after, source, target)
    with np.errstate(divide="ignore"):
        length = 1.0 / np.abs(connection.weight)
    # the greatest cost relative to an edge's length: by this factor a lost mass can matter
    longest = max(
        [float(t.matrices[np.isfinite(t.matrices)].max(initial=0.0)) for t in tables], default=0.0
    )
    ratio = 1.0 + longest / float(length.min(initial=1.0))
    p = supports_of(before, graph, values, NEGLIGIBLE / ratio)
    q = supports_of(after, graph, values, NEGLIGIBLE / ratio)
    bundles = _bundles(connection, before, after)
    layers = graph.layers
    problems = ConnectionProblems(
        pair_source=np.ascontiguousarray(connection.pairs[:, 0]),
        pair_target=np.ascontiguousarray(connection.pairs[:, 1]),
        pair_tap=np.ascontiguousarray(connection.pairs[:, 2]),
        length=np.ascontiguousarray(length),
        bundle_group=bundles.group,
        bundle_source_class=bundles.source_class,
        bundle_target_class=bundles.target_class,
        input_start=_starts(bundles.inputs),
        output_start=_starts(bundles.outputs),
        inputs=np.concatenate(bundles.inputs),
        outputs=np.concatenate(bundles.outputs),
        source_channel=connection.source_channel,
        target_channel=connection.target_channel,
        source_positions=layers[source].positions,
        target_positions=layers[target].positions,
        source_classes=before.count,
        target_classes=after.count,
        active_u=_active(graph, source, values),
        active_v=_active(graph, target, values),
        p_start=p.start,
        p_vertices=VertexList(p.slot, p.position, p.channel),
        p_mass=p.mass,
        q_start=q.start,
        q_vertices=VertexList(q.slot, q.position, q.channel),
        q_mass=q.mass,
        tables=flatten(tables),
        base_table=table_of[0],
        to_v_table=table_of[1],
        from_u_table=table_of[2],
        direct_table=table_of[3],
        alpha=alpha,
        supremum=supremum(graph, connection),
        factor_u=np.ascontiguousarray(factors[source]) if factors else np.empty((0, 0)),
        factor_v=np.ascontiguousarray(factors[target]) if factors else np.empty((0, 0)),
    )
    error = (p.dropped + q.dropped) * ratio + MEETS
    nodes = _nodes(problems, p, q, len(values[0]))
    return BuiltProblems(problems, nodes, bundles.bundle_of, error, p.largest, q.largest)


def _starts(lists: list[Ints]) -> Ints:
    return np.concatenate([[0], np.cumsum([len(entry) for entry in lists])]).astype(np.int64)


def _active(graph: NeuralGraph, layer: int, values: list[Floats]) -> Flags:
    return np.stack([~inactive(graph, layer, example) for example in values[layer]])


def _tables(
    distances: Distances, before: Neighbours, after: Neighbours, source: int, target: int
) -> tuple[tuple[Ints, Ints, Ints, Ints], list[DistanceTable]]:
    """The distance tables of the connection, and by slot where D, d(k, v), d(u, m), d(u, v) are.

    Each of the four is an array of indices into the list of tables, −1 where no path leads.
    """
    tables: list[DistanceTable] = []

    def indices(rows: tuple[int, ...], columns: tuple[int, ...]) -> Ints:
        table_of = np.full((len(rows), len(columns)), -1, np.int64)
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                table = distances.table(row, column)
                if table is not None:
                    table_of[i, j] = len(tables)
                    tables.append(table)
        return table_of

    base = indices(before.layers, after.layers)
    to_v = indices(before.layers, (target,))
    from_u = indices((source,), after.layers)
    direct = np.full((1, 1), -1, np.int64)
    if distances.has_shortcut(source, target) or not tables:
        direct = indices((source,), (target,))
    return (base, to_v, from_u, direct), tables


def _bundles(connection: Connection, before: Neighbours, after: Neighbours) -> _Bundles:
    """Sort the channel pairs into bundles: those that share p and q at every site."""
    groups, cout, cin, _ = connection.weight.shape
    rows: list[tuple[int, int, int]] = []
    inputs, outputs = [], []
    bundle_of = np.empty((groups, cout, cin), np.int64)
    for g in range(groups):
        first_b = connection.source_channel + g * cin
        first_a = connection.target_channel + g * cout
        classes_b = before.classes[first_b : first_b + cin]
        classes_a = after.classes[first_a : first_a + cout]
        for source_class in np.unique(classes_b):
            b = np.flatnonzero(classes_b == source_class)
            for target_class in np.unique(classes_a):
                a = np.flatnonzero(classes_a == target_class)
                bundle_of[g, a[:, None], b[None, :]] = len(rows)
                rows.append((g, source_class, target_class))
                inputs.append(b)
                outputs.append(a)
    group, source_classes, target_classes = np.array(rows, np.int64).T.copy()
    return _Bundles(group, source_classes, target_classes, inputs, outputs, bundle_of.reshape(-1))


def _nodes(problems: ConnectionProblems, p: Supports, q: Supports, examples: int) -> Ints:
    """Nodes of each base problem, ``(sites, bundles)``; 0 where p or q is empty."""
    example = np.repeat(np.arange(examples), len(problems.pair_source))[:, None]
    s = np.tile(problems.pair_source, examples)[:, None]
    t = np.tile(problems.pair_target, examples)[:, None]
    p_row = example * problems.source_classes + problems.bundle_source_class
    q_row = example * problems.target_classes + problems.bundle_target_class
    n = np.diff(p.start)[p_row * problems.source_positions + s]
    m = np.diff(q.start)[q_row * problems.target_positions + t]
    return np.where((n > 0) & (m > 0), n + m, 0)
