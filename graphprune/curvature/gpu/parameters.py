"""Intervals of κ_min for every weight of a network, in torch.

``exact`` settles every edge on the CPU; this module bounds all of them on a GPU, many base problems
at a time. It does not decide what the intervals leave open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numba import njit

from graphprune.curvature.definitions import check_alpha, check_values
from graphprune.curvature.gpu.intervals import Batch, intervals
from graphprune.curvature.passes.bundle import (
    kappa_of,
    load_distances,
    load_u,
    load_v,
    locate,
)
from graphprune.curvature.problem.arrays import Buffers, ConnectionProblems, make_buffers
from graphprune.curvature.problem.build import BuiltProblems, build_problems
from graphprune.curvature.problem.distances import Distances
from graphprune.defaults import ALPHA
from graphprune.neural_graph.structure import Floats, Ints, NeuralGraph

# Most entries of one array over (problem, support, edge).
ENTRIES = 1 << 22


@dataclass(frozen=True, eq=False)
class _Piece:
    """A base problem and some of its edges: those between some outputs and some inputs.

    weights: index of the edges' weights, (group, output channels, input channels, tap).
    The arrays are those of ``Batch`` for one problem, without padding.
    """

    weights: tuple[int, Ints, Ints, int]
    p: Floats
    q: Floats
    cost: Floats
    to_v: Floats
    from_u: Floats
    length: Floats
    direct: Floats

    @property
    def entries(self) -> int:
        return self.length.size * max(self.cost.shape)


def parameter_intervals(
    graph: NeuralGraph,
    values: list[Floats],
    alpha: float = ALPHA,
    iterations: int = 100,
    device: str = "cpu",
) -> dict[str, tuple[Floats, Floats]]:
    """Certified lower and upper bounds of κ_min of every weight.

    Parameters
    ----------
    graph : the network's neural graph.
    values : one float64 ``(examples, layer.size)`` a layer, in [0, 1].
    alpha : idleness, 0 ≤ α < 1.
    iterations : of Sinkhorn, at least 0; see ``intervals.intervals``.
    device : torch device that computes the bounds; distances are computed on the CPU.

    Returns
    -------
    (lower, upper) by parameter name, float64 of its shape; both are inf where the weight is 0.

    Raises
    ------
    UserError : alpha, iterations or values out of range.

    >>> lower, upper = parameter_intervals(graph, values, device="cuda")["fc1.weight"]
    """
    check_alpha(alpha)
    check_values(graph, values)
    bounds: dict[str, tuple[Floats, Floats]] = {}
    distances = Distances(graph)
    for connection in graph.connections:
        name = connection.parameter
        if name is None:
            continue
        built = build_problems(graph, connection, values, alpha, distances)
        least = _least(built, len(values[0]), iterations, device)
        lower, upper = (bound.reshape(connection.parameter_shape) for bound in least)
        if name in bounds:  # one weight used by several layers
            lower, upper = np.minimum(lower, bounds[name][0]), np.minimum(upper, bounds[name][1])
        bounds[name] = lower, upper
    return bounds


def _least(
    built: BuiltProblems, examples: int, iterations: int, device: str
) -> tuple[Floats, Floats]:
    """Bounds of the least κ of each weight of a connection, ``(groups, cout, cin, taps)`` each."""
    problems = built.problems
    lower = np.full(problems.length.shape, np.inf)
    _inactive(problems, lower)
    upper = lower.copy()

    def lower_to(piece: _Piece, low: Floats, high: Floats) -> None:
        lower[piece.weights] = np.fmin(lower[piece.weights], low - built.error)
        upper[piece.weights] = np.fmin(upper[piece.weights], high + built.error)

    waiting: list[_Piece] = []

    def bound() -> None:
        kappa = intervals(_pad(waiting, device), problems.alpha, iterations)
        low, high = kappa.lower.cpu().numpy(), kappa.upper.cpu().numpy()
        for i, piece in enumerate(waiting):
            targets, sources = piece.length.shape
            lower_to(piece, low[i, :targets, :sources], high[i, :targets, :sources])
        waiting.clear()

    largest = 0
    for piece in _pieces(built, examples):
        if not piece.cost.size:
            kappa = _closed_form(piece, problems.alpha)
            lower_to(piece, kappa, kappa)
            continue
        largest = max(largest, piece.entries) if waiting else piece.entries
        if waiting and largest * (len(waiting) + 1) > ENTRIES:
            bound()
            largest = piece.entries
        waiting.append(piece)
    if waiting:
        bound()
    return lower, upper


def _closed_form(piece: _Piece, alpha: float) -> Floats:
    """κ where p or q is empty, NaN where there is no edge."""
    if len(piece.q):
        cost = np.broadcast_to(piece.from_u @ piece.q, piece.length.shape)
    elif len(piece.p):
        cost = np.broadcast_to((piece.to_v @ piece.p)[:, None], piece.length.shape)
    else:
        cost = piece.direct
    exists = np.isfinite(piece.length)
    kappa = np.full(piece.length.shape, np.nan)
    arrays = cost[exists], piece.direct[exists], piece.length[exists]
    kappa[exists] = [kappa_of(alpha, *edge) for edge in zip(*arrays, strict=True)]
    return kappa


@njit(cache=True, nogil=True)
def _inactive(problems: ConnectionProblems, least: Floats) -> None:
    """Lower ``least`` to the supremum for weights with an inactive edge at some site."""
    groups, cout, cin, _ = problems.length.shape
    for site in range(len(problems.active_u) * len(problems.pair_source)):
        example, s, t, tap, _, _ = locate(problems, site, 0)
        for g in range(groups):
            for a in range(cout):
                v = (problems.target_channel + g * cout + a) * problems.target_positions + t
                for b in range(cin):
                    u = (problems.source_channel + g * cin + b) * problems.source_positions + s
                    live = problems.active_u[example, u] and problems.active_v[example, v]
                    if not live and problems.length[g, a, b, tap] < np.inf:
                        least[g, a, b, tap] = min(least[g, a, b, tap], problems.supremum)


@njit(cache=True, nogil=True)
def _load(
    problems: ConnectionProblems, buffers: Buffers, site: int, bundle: int
) -> tuple[int, int]:
    """Load the active vertices of a bundle and their distances; numbers of vertices u and v."""
    _, cout, cin, _ = problems.length.shape
    example, s, t, _, p_row, q_row = locate(problems, site, bundle)
    g = problems.bundle_group[bundle]
    u_count, v_count = 0, 0
    for b in problems.inputs[problems.input_start[bundle] : problems.input_start[bundle + 1]]:
        u = (problems.source_channel + g * cin + b) * problems.source_positions + s
        if problems.active_u[example, u]:
            load_u(problems, buffers, g, b, s, u_count)
            u_count += 1
    for a in problems.outputs[problems.output_start[bundle] : problems.output_start[bundle + 1]]:
        v = (problems.target_channel + g * cout + a) * problems.target_positions + t
        if problems.active_v[example, v]:
            load_v(problems, buffers, g, a, t, v_count)
            v_count += 1
    if u_count > 0 and v_count > 0:
        load_distances(problems, buffers, p_row, q_row, u_count, v_count)
    return u_count, v_count


def _pieces(built: BuiltProblems, examples: int) -> Iterator[_Piece]:
    """Every base problem with live edges, in several pieces if it has very many edges."""
    problems = built.problems
    buffers = make_buffers(problems, built.largest_p, built.largest_q)
    for site in range(examples * len(problems.pair_source)):
        for bundle in range(len(problems.bundle_group)):
            u_count, v_count = _load(problems, buffers, site, bundle)
            if not u_count or not v_count:
                continue
            _, _, _, tap, p_row, q_row = locate(problems, site, bundle)
            g = int(problems.bundle_group[bundle])
            p = problems.p_mass[problems.p_start[p_row] : problems.p_start[p_row + 1]]
            q = problems.q_mass[problems.q_start[q_row] : problems.q_start[q_row + 1]]
            n, m, b = len(p), len(q), buffers.u_input[:u_count].copy()
            step = max(1, ENTRIES // (max(n, m, 1) * u_count))
            for first in range(0, v_count, step):
                rows = slice(first, min(first + step, v_count))
                weights = g, buffers.v_output[rows, None].copy(), b[None, :], int(tap)
                length = problems.length[weights]
                if not np.isfinite(length).any():
                    continue
                stored = problems.direct_table[0, 0] >= 0
                direct = buffers.direct[:u_count, rows].T if stored else length
                yield _Piece(
                    weights=weights,
                    p=p,
                    q=q,
                    cost=buffers.D[:n, :m].copy(),
                    to_v=buffers.to_v[rows, :n].copy(),
                    from_u=buffers.from_u[:u_count, :m].copy(),
                    length=length,
                    direct=direct.copy(),
                )


def _pad(pieces: list[_Piece], device: str) -> Batch:
    """One batch of all pieces; padded masses and costs are 0, padded edges have infinite length."""
    count = len(pieces)
    n, m = (max(piece.cost.shape[axis] for piece in pieces) for axis in (0, 1))
    targets, sources = (max(piece.length.shape[axis] for piece in pieces) for axis in (0, 1))

    def stack(name: str, shape: tuple[int, ...], padding: float = 0.0) -> torch.Tensor:
        out = np.full((count, *shape), padding)
        for i, piece in enumerate(pieces):
            array = getattr(piece, name)
            out[(i, *(slice(size) for size in array.shape))] = array
        return torch.from_numpy(out).to(device)

    return Batch(
        cost=stack("cost", (n, m)),
        p=stack("p", (n,)),
        q=stack("q", (m,)),
        to_v=stack("to_v", (targets, n)),
        from_u=stack("from_u", (sources, m)),
        length=stack("length", (targets, sources), np.inf),
        direct=stack("direct", (targets, sources), np.inf),
    )
