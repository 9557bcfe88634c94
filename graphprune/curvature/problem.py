"""The arrays that describe one connection's transport problems, as the compiled loops see them.

A *unit* is one example and one pair of positions; a *block* is one class of source channels and one
of target channels (``supports.Neighbours``). Unit and block fix p, q and the base problem; the
edges of the block differ by channel alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphprune.curvature.gather import Entries, Tables
from graphprune.curvature.spanning_tree import Indices
from graphprune.neural_graph.structure import Floats, Ints

Flags = npt.NDArray[np.bool_]

# Indices into the counts of a Sheet.
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
# Reduced costs above −ROUNDING · (largest distance) count as none.
ROUNDING = 2e-13
# Bounds of κ that are this close settle an edge.
MEETS = 1e-12


class Problem(NamedTuple):
    """One connection, all that does not depend on thread or round.

    source, target, tap: ``(pairs,)``; length: ``(groups, cout, cin, taps)``, inf where the weight
        is 0.
    block_group, block_in, block_out: ``(blocks,)`` group, class of u, class of v.
    first_b, members_b: input channels within the group of block i are
        ``members_b[first_b[i]:first_b[i + 1]]``; first_a, members_a: its output channels.
    active_u, active_v: ``(examples, layer size)``.
    p_start, p_entries, p_mass (and q): ``supports.Supports`` of the source (target) layer.
    across, to_v, from_u, direct: tables of D, d(k, v), d(u, m), d(u, v) by slot; −1 where no path
        leads, for ``direct`` also where it is the edge's length.
    """

    source: Ints
    target: Ints
    tap: Ints
    length: Floats
    block_group: Ints
    block_in: Ints
    block_out: Ints
    first_b: Ints
    first_a: Ints
    members_b: Ints
    members_a: Ints
    source_channel: int
    target_channel: int
    source_positions: int
    target_positions: int
    in_classes: int
    out_classes: int
    active_u: Flags
    active_v: Flags
    p_start: Ints
    p_entries: Entries
    p_mass: Floats
    q_start: Ints
    q_entries: Entries
    q_mass: Floats
    tables: Tables
    across: Ints
    to_v: Ints
    from_u: Ints
    direct: Ints
    alpha: float
    supremum: float


class Store(NamedTuple):
    """Base optima: nodes of (unit, block) begin at ``start[unit * blocks + block]``."""

    start: Ints
    parent: Indices
    flow: Floats
    potential: Floats


class Sheet(NamedTuple):
    """What one thread writes.

    begin: the unit of row 0 of ``lower`` and ``exact``.
    lower: ``(units, groups, cout, cin)`` lower bound of κ of each open edge, inf for settled ones.
    exact: the same shape, or empty where not wanted: κ of the settled ones.
    best: ``(groups, cout, cin, taps)`` least upper bound of κ met so far.
    counts: of ``STATISTICS``; widest: ``(1,)`` largest tolerance of a solution in terms of κ.
    """

    begin: int
    lower: Floats
    exact: Floats
    best: Floats
    counts: Ints
    widest: Floats


class Scratch(NamedTuple):
    """Buffers of one thread; ``b`` and ``a`` hold the channels in work, rows follow their order."""

    D: Floats
    to_v: Floats
    from_u: Floats
    across: Floats
    direct: Floats
    tree: Indices
    flow: Floats
    potential: Floats
    work_tree: Indices
    work_flow: Floats
    work_potential: Floats
    excess: Floats
    b: Ints
    a: Ints
    sources: Entries
    targets: Entries


def scratch(problem: Problem, largest_p: int, largest_q: int) -> Scratch:
    """Buffers for problems whose supports are at most this large."""
    _, cout, cin, _ = problem.length.shape
    n, m = max(1, largest_p), max(1, largest_q)
    nodes = n + m + 3
    trees = [np.empty((5, nodes), np.int32) for _ in range(2)]
    floats = [np.empty(nodes) for _ in range(4)]

    def entries(size: int) -> Entries:
        return Entries(*(np.zeros(size, np.int32) for _ in range(3)))

    return Scratch(
        D=np.empty((n, m)),
        to_v=np.empty((cout, n)),
        from_u=np.empty((cin, m)),
        across=np.empty((n, cout)),
        direct=np.empty((cin, cout)),
        tree=trees[0],
        flow=floats[0],
        potential=floats[1],
        work_tree=trees[1],
        work_flow=floats[2],
        work_potential=floats[3],
        excess=np.empty(m),
        b=np.empty(cin, np.int64),
        a=np.empty(cout, np.int64),
        sources=entries(cin),
        targets=entries(cout),
    )
