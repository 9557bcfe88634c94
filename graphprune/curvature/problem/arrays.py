"""The arrays that describe one connection's transport problems, as the compiled loops see them.

A *site* is one example and one position pair. A *bundle* is a set of channel pairs: those of one
group, one class of source channels and one class of target channels (``supports.Neighbours``). Site
and bundle together fix p, q and the base problem; the edges of a bundle at a site differ in their
channels alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphprune.curvature.problem.lookup import FlatTables, VertexList
from graphprune.curvature.simplex.spanning_tree import Indices
from graphprune.neural_graph.structure import Floats, Ints

Flags = npt.NDArray[np.bool_]

# Indices into the counts of ThreadResults.
EDGES, INACTIVE, CLOSED_FORM, BASE, HUB, MEET, OPEN, SOLVED, BASES, BASE_PIVOTS, PIVOTS = range(11)
STATISTICS = (
    "edges",
    "inactive",
    "closed_form",
    "base_optimal",
    "hub_optimal",
    "bounds_meet",
    "open",
    "solved",
    "base_problems",
    "base_pivots",
    "pivots",
)
# A reduced cost between −ROUNDING · (largest distance) and 0 counts as 0.
ROUNDING = 2e-13
# An edge is settled when its bounds of κ differ by no more than this.
MEETS = 1e-12


class ConnectionProblems(NamedTuple):
    """The transport problems of one connection: all that does not depend on thread or round.

    Site ``example * pairs + i`` is position pair i of that example.

    pair_source, pair_target, pair_tap: ``(pairs,)`` source position, target position and tap.
    length: ``(groups, cout, cin, taps)`` ℓ of each weight's edges, inf where the weight is 0.
    bundle_group, bundle_source_class, bundle_target_class: ``(bundles,)`` group, class of u and
        class of v.
    input_start, inputs: the input channels of bundle i, numbered within its group, are
        ``inputs[input_start[i]:input_start[i + 1]]``; output_start, outputs: its output channels.
    source_channel, target_channel: the connection's first channel in its two layers.
    source_positions, target_positions: number of positions of the two layers.
    source_classes, target_classes: number of channel classes of the two layers.
    active_u, active_v: ``(examples, layer size)`` which vertices of the two layers are active.
    p_start, p_vertices, p_mass: ``supports.Supports`` of the source layer; q_…: of the target one.
    tables: the distance tables of the connection.
    base_table, to_v_table, from_u_table, direct_table: by slot, the index of the table that holds
        D, d(k, v), d(u, m), d(u, v); −1 where no path leads, and for d(u, v) also where it is the
        length of the edge.
    alpha: idleness; supremum: κ of an inactive edge.
    factor_u, factor_v: ``(examples, layer size)`` factors of the vertices of the two layers, by the
        lesser of which an edge's length is divided; empty where lengths are those of the weights.
    """

    pair_source: Ints
    pair_target: Ints
    pair_tap: Ints
    length: Floats
    bundle_group: Ints
    bundle_source_class: Ints
    bundle_target_class: Ints
    input_start: Ints
    output_start: Ints
    inputs: Ints
    outputs: Ints
    source_channel: int
    target_channel: int
    source_positions: int
    target_positions: int
    source_classes: int
    target_classes: int
    active_u: Flags
    active_v: Flags
    p_start: Ints
    p_vertices: VertexList
    p_mass: Floats
    q_start: Ints
    q_vertices: VertexList
    q_mass: Floats
    tables: FlatTables
    base_table: Ints
    to_v_table: Ints
    from_u_table: Ints
    direct_table: Ints
    alpha: float
    supremum: float
    factor_u: Floats
    factor_v: Floats


class BaseOptima(NamedTuple):
    """Optima of the base problems of a chunk of sites, in flat arrays over their nodes.

    start: ``(sites * bundles + 1,)``; the nodes of a base problem begin at
        ``start[row * bundles + bundle]``, where row = site − first site of the chunk.
    parent: each node's parent in the spanning tree, numbered within the base problem; NONE for a
        child of the root.
    flow, potential: float64, one for each node.
    """

    start: Ints
    parent: Indices
    flow: Floats
    potential: Floats


class ThreadResults(NamedTuple):
    """What one thread writes about a chunk of sites.

    first_site: the site of row 0 of ``lower`` and ``exact``.
    lower: ``(sites, groups, cout, cin)`` lower bound of κ of each open edge, inf for settled ones.
    exact: of the same shape, κ of the settled edges; or empty where it is not wanted.
    best: ``(groups, cout, cin, taps)`` least upper bound of κ so far.
    counts: one for each of ``STATISTICS``.
    kappa_tolerance: ``(1,)`` largest tolerance of the simplex so far, as an error of κ.
    """

    first_site: int
    lower: Floats
    exact: Floats
    best: Floats
    counts: Ints
    kappa_tolerance: Floats


class Buffers(NamedTuple):
    """Working memory of one thread.

    n and m are the sizes of p and q, U and V the numbers of vertices u and v that are loaded.

    D: ``(n, m)``; to_v: ``(V, n)`` d(k, v); from_u: ``(U, m)`` d(u, m); direct: ``(U, V)`` d(u, v).
    to_v_columns: ``(n, V)``, to_v before it is transposed.
    tree, flow, potential: of the base problem; edge_tree, …: of an edge problem.
    excess: ``(m,)``, see ``certificates.excess``.
    u_input, v_output: channel of each loaded vertex within its group.
    u_vertices, v_vertices: the loaded vertices themselves; u_factor, v_factor: their factors.
    """

    D: Floats
    to_v: Floats
    from_u: Floats
    to_v_columns: Floats
    direct: Floats
    tree: Indices
    flow: Floats
    potential: Floats
    edge_tree: Indices
    edge_flow: Floats
    edge_potential: Floats
    excess: Floats
    u_input: Ints
    v_output: Ints
    u_vertices: VertexList
    v_vertices: VertexList
    u_factor: Floats
    v_factor: Floats


def make_buffers(problems: ConnectionProblems, largest_p: int, largest_q: int) -> Buffers:
    """Buffers for base problems with supports of at most these sizes."""
    _, cout, cin, _ = problems.length.shape
    n, m = max(1, largest_p), max(1, largest_q)
    nodes = n + m + 3
    trees = [np.empty((5, nodes), np.int32) for _ in range(2)]
    floats = [np.empty(nodes) for _ in range(4)]

    def vertices(size: int) -> VertexList:
        return VertexList(*(np.zeros(size, np.int32) for _ in range(3)))

    return Buffers(
        D=np.empty((n, m)),
        to_v=np.empty((cout, n)),
        from_u=np.empty((cin, m)),
        to_v_columns=np.empty((n, cout)),
        direct=np.empty((cin, cout)),
        tree=trees[0],
        flow=floats[0],
        potential=floats[1],
        edge_tree=trees[1],
        edge_flow=floats[2],
        edge_potential=floats[3],
        excess=np.empty(m),
        u_input=np.empty(cin, np.int64),
        v_output=np.empty(cout, np.int64),
        u_vertices=vertices(cin),
        v_vertices=vertices(cout),
        u_factor=np.ones(cin),
        v_factor=np.ones(cout),
    )
