"""Neural curvature: a map of this folder.

**What is computed.** Every edge u → v of the neural graph has a curvature κ for every example. The
score of a weight is κ_min, the least κ over its edges and the examples. ``definitions`` states the
formula, ``docs/curvature.md`` explains how it is computed fast.

**What to call.** These functions are loaded on first use, for numba takes a second to import:

- ``parameter_curvatures``: κ_min of every weight, exactly (module ``exact``);
- ``edge_curvatures``: κ of every edge for one example, exactly (module ``exact``);
- ``parameter_intervals``: certified bounds of κ_min, on a GPU (module ``gpu.parameters``).

The module ``reference`` computes the first two straight from the definition, slowly. The others are
tested against it.

**The rooms**, in the order of the computation; what is indented serves the room above it:

=============================== ==================================================================
``exact``                       goes through the connections of the graph; calls the driver for each
``passes/driver``               runs both passes over one connection, in chunks and on threads
``problem/build``               makes the arrays of the connection's transport problems
    ``problem/distances``       shortest paths between two layers
    ``problem/supports``        neighbours and their masses p and q
    ``problem/arrays``          what the compiled loops read and write
``passes/bound``                first pass: solves base problems, settles or bounds their edges
    ``passes/certificates``     bounds from a base optimum, and when they are exact
``passes/solve``                second pass: solves open edges
``passes/bundle``               loads one bundle at one site, for both passes and for ``gpu``
    ``problem/lookup``          reads single distances
``simplex/solver``              solves a base problem, and from its optimum an edge problem
    ``simplex/spanning_tree``   the tree that the solver's pivots change
=============================== ==================================================================

``gpu/parameters`` stands in for ``exact`` and the passes: it builds the same problems and gives
them in batches to ``gpu/intervals``. ``reference`` uses nothing of this but ``definitions``, which
all share. The default α stands in `graphprune.defaults`.

**Words.** An edge leads from u to v; a connection leads from a source layer to a target layer.

- *neighbours*: k is an in-neighbour of u, m an out-neighbour of v. p is the mass on all k, q that
  on all m; their *supports* are the neighbours that carry mass.
- *position pair*, *tap*: a row (source position, target position, tap) of ``Connection.pairs``.
- *group*: a group of a grouped convolution, nothing else.
- *site*: one example and one position pair.
- *channel class*: the channels of a layer that have the same neighbours at every position.
- *bundle*: the channel pairs of one group, one class of source channels and one class of target
  channels. At a site their edges share p and q.
- *base problem*: move p to q at costs D, the distances from k to m. There is one for each site and
  bundle. Its solution is the *base optimum*.
- *edge problem*: the base problem and the *hub* of one edge, which is its u and v. Mass may take
  the *detour* k → v, u → m over the hub instead of moving from k to m.
- *active*: every vertex but a hidden one of value 0. *live*: an edge between two active vertices;
  all others are *inactive*.
- *settled*, *open*: the first pass settles a live edge by a closed form or a certificate, or leaves
  it open with bounds of κ. Open edges are *solved* in the *rounds* of the second pass, or skipped.
- *chunk*: sites that are worked on together, as many as fit into memory. *share*: the output
  channels of a bundle that one job works on, where a bundle is divided.
- *table*: the distances from one layer to another. *pair class*: position pairs joined by the same
  taps; they share a matrix of their table. *slot*: number of a layer among those in which the
  neighbours lie.
- *supply*, *demand*: the nodes that mass leaves and the nodes that it reaches, in the simplex.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphprune.curvature.exact import (
        CurvatureResult,
        edge_curvatures,
        parameter_curvatures,
    )
    from graphprune.curvature.gpu.parameters import parameter_intervals

_PUBLIC = {
    "CurvatureResult": "graphprune.curvature.exact",
    "edge_curvatures": "graphprune.curvature.exact",
    "parameter_curvatures": "graphprune.curvature.exact",
    "parameter_intervals": "graphprune.curvature.gpu.parameters",
}

__all__ = ["CurvatureResult", "edge_curvatures", "parameter_curvatures", "parameter_intervals"]


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'graphprune.curvature' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
