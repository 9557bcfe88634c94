"""The spanning tree of a network simplex, with its flows and potentials. Compiled with numba.

Nodes are numbered as in ``simplex.solver``: n supply nodes, the demand nodes, u and v of the hub,
the root. One integer array links parents, children and siblings. ``flow[i]`` is the flow of the arc
between node i and its parent, always from supply to demand, whichever of the two is the parent.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from graphprune.neural_graph.structure import Floats

Indices = npt.NDArray[np.int32]

# Rows of the tree array: parent, first child, next and previous sibling, depth.
PARENT, FIRST, NEXT, PREVIOUS, DEPTH = range(5)
NONE = -1


@njit(cache=True, nogil=True, inline="always")
def link(tree: Indices, child: int, parent: int) -> None:
    """Make ``child``, a node without a parent, the first child of ``parent``."""
    head = tree[FIRST, parent]
    tree[PARENT, child] = parent
    tree[NEXT, child] = head
    tree[PREVIOUS, child] = NONE
    if head != NONE:
        tree[PREVIOUS, head] = child
    tree[FIRST, parent] = child


@njit(cache=True, nogil=True, inline="always")
def unlink(tree: Indices, child: int) -> None:
    """Take ``child`` out of its parent's list of children."""
    before, after = tree[PREVIOUS, child], tree[NEXT, child]
    if before == NONE:
        tree[FIRST, tree[PARENT, child]] = after
    else:
        tree[NEXT, before] = after
    if after != NONE:
        tree[PREVIOUS, after] = before


@njit(cache=True, nogil=True)
def _shift(tree: Indices, potential: Floats, top: int, n: int, u: int, change: float) -> None:
    """Set the potentials and depths of the subtree at ``top`` after a pivot.

    Potentials of supply nodes change by ``change``, those of demand nodes by −change.
    """
    node = top
    while True:
        tree[DEPTH, node] = tree[DEPTH, tree[PARENT, node]] + 1
        if node < n or node == u:
            potential[node] += change
        else:
            potential[node] -= change
        if tree[FIRST, node] != NONE:
            node = tree[FIRST, node]
            continue
        while node != top and tree[NEXT, node] == NONE:
            node = tree[PARENT, node]
        if node == top:
            return
        node = tree[NEXT, node]


@njit(cache=True, nogil=True)
def pivot(
    tree: Indices, flow: Floats, potential: Floats, i: int, j: int, reduced: float, n: int, u: int
) -> float:
    """Bring arc i → j of negative reduced cost into the tree; returns the flow it takes.

    n: number of supply nodes without u; u: the supply node of the hub.
    """
    a, b = i, j
    while a != b:
        if tree[DEPTH, a] > tree[DEPTH, b]:
            a = tree[PARENT, a]
        elif tree[DEPTH, b] > tree[DEPTH, a]:
            b = tree[PARENT, b]
        else:
            a = tree[PARENT, a]
            b = tree[PARENT, b]
    apex = a
    step, leaving, on_tail_side = np.inf, NONE, True
    node = i
    while node != apex:
        if (node < n or node == u) and flow[node] < step:
            step, leaving = flow[node], node
        node = tree[PARENT, node]
    node = j
    while node != apex:
        if not (node < n or node == u) and flow[node] <= step:
            step, leaving, on_tail_side = flow[node], node, False
        node = tree[PARENT, node]
    if step > 0.0:
        node = i
        while node != apex:
            flow[node] += -step if (node < n or node == u) else step
            node = tree[PARENT, node]
        node = j
        while node != apex:
            flow[node] += step if (node < n or node == u) else -step
            node = tree[PARENT, node]
    child, parent = (i, j) if on_tail_side else (j, i)
    node, carried = child, step
    while True:
        old_parent, old_flow = tree[PARENT, node], flow[node]
        unlink(tree, node)
        link(tree, node, parent)
        flow[node] = carried
        if node == leaving:
            break
        parent, carried, node = node, old_flow, old_parent
    _shift(tree, potential, child, n, u, reduced if on_tail_side else -reduced)
    return step


@njit(cache=True, nogil=True)
def empty_tree(tree: Indices, nodes: int) -> None:
    """Make ``nodes`` nodes, the last of them the root, none linked to another."""
    tree[PARENT, :nodes] = NONE
    tree[FIRST, :nodes] = NONE
    tree[NEXT, :nodes] = NONE
    tree[PREVIOUS, :nodes] = NONE
    tree[DEPTH, :nodes] = 0


@njit(cache=True, nogil=True)
def restore(tree: Indices, n: int, m: int, parents: Indices) -> None:
    """Make the tree of a base problem from its ``parents``, ``(n + m,)``; NONE is the root."""
    root = n + m + 2
    empty_tree(tree, root + 1)
    for node in range(n + m):
        link(tree, node, parents[node] if parents[node] != NONE else root)
    node = tree[FIRST, root]
    while node != NONE:
        tree[DEPTH, node] = tree[DEPTH, tree[PARENT, node]] + 1
        if tree[FIRST, node] != NONE:
            node = tree[FIRST, node]
            continue
        while node != root and tree[NEXT, node] == NONE:
            node = tree[PARENT, node]
        node = tree[NEXT, node] if node != root else NONE
