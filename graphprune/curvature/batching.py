"""Intervals of κ_min of every parameter by the torch path: problems cut from a neural graph.

Where ``exact`` settles every edge on the CPU, this bounds all of them on a GPU, many base problems
at a time. What the intervals leave open is for ``exact`` to close.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numba import njit

from graphprune.curvature.batched import Batch, intervals
from graphprune.curvature.blocks import curvature, fill, place, take_source, take_target
from graphprune.curvature.definitions import ALPHA, check_alpha, check_values
from graphprune.curvature.distances import Distances
from graphprune.curvature.problem import Problem, Scratch, scratch
from graphprune.curvature.problems import Built, build_problem
from graphprune.neural_graph.structure import Floats, Ints, NeuralGraph

# Entries of one array over (problem, support, edge).
ENTRIES = 1 << 22


@dataclass(frozen=True, eq=False)
class _Block:
    """The edges of one base problem between the output channels a and the input channels b.

    where: index of their weights; arrays as in ``Batch``, of one problem and not padded.
    """

    where: tuple[int, Ints, Ints, int]
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
    """Certified lower and upper bounds of κ_min by parameter name, float64 of its shape.

    Parameters
    ----------
    values : one float64 ``(examples, layer.size)`` a layer, in [0, 1].
    iterations : of Sinkhorn; see ``batched.intervals``.
    device : torch device of the bounds; distances are made on the CPU.

    Both bounds are inf where the weight is 0.
    """
    check_alpha(alpha)
    check_values(graph, values)
    found: dict[str, tuple[Floats, Floats]] = {}
    distances = Distances(graph)
    for connection in graph.connections:
        name = connection.parameter
        if name is None:
            continue
        built = build_problem(graph, connection, values, alpha, distances)
        bounds = _least(built, len(values[0]), iterations, device)
        lower, upper = (bound.reshape(connection.parameter_shape) for bound in bounds)
        if name in found:  # one weight used by several layers
            lower, upper = np.minimum(lower, found[name][0]), np.minimum(upper, found[name][1])
        found[name] = lower, upper
    return found


def _least(built: Built, examples: int, iterations: int, device: str) -> tuple[Floats, Floats]:
    problem = built.problem
    lower = np.full(problem.length.shape, np.inf)
    _inactive(problem, lower)
    upper = lower.copy()

    def lower_to(block: _Block, low: Floats, high: Floats) -> None:
        lower[block.where] = np.fmin(lower[block.where], low - built.error)
        upper[block.where] = np.fmin(upper[block.where], high + built.error)

    waiting: list[_Block] = []

    def bound() -> None:
        found = intervals(_pad(waiting, device), problem.alpha, iterations)
        low, high = found.lower.cpu().numpy(), found.upper.cpu().numpy()
        for i, block in enumerate(waiting):
            targets, sources = block.length.shape
            lower_to(block, low[i, :targets, :sources], high[i, :targets, :sources])
        waiting.clear()

    largest = 0
    for block in _blocks(built, examples):
        if not block.cost.size:
            kappa = _closed_form(block, problem.alpha)
            lower_to(block, kappa, kappa)
            continue
        largest = max(largest, block.entries) if waiting else block.entries
        if waiting and largest * (len(waiting) + 1) > ENTRIES:
            bound()
            largest = block.entries
        waiting.append(block)
    if waiting:
        bound()
    return lower, upper


def _closed_form(block: _Block, alpha: float) -> Floats:
    """κ where p or q is empty, NaN where there is no edge."""
    if len(block.q):
        cost = np.broadcast_to(block.from_u @ block.q, block.length.shape)
    elif len(block.p):
        cost = np.broadcast_to((block.to_v @ block.p)[:, None], block.length.shape)
    else:
        cost = block.direct
    exists = np.isfinite(block.length)
    kappa = np.full(block.length.shape, np.nan)
    arrays = cost[exists], block.direct[exists], block.length[exists]
    kappa[exists] = [curvature(alpha, *edge) for edge in zip(*arrays, strict=True)]
    return kappa


@njit(cache=True, nogil=True)
def _inactive(problem: Problem, least: Floats) -> None:
    """Lower κ to the supremum where some position or example leaves an edge inactive."""
    groups, cout, cin, _ = problem.length.shape
    for unit in range(len(problem.active_u) * len(problem.source)):
        example, s, t, tap, _, _ = place(problem, unit, 0)
        for g in range(groups):
            for a in range(cout):
                v = (problem.target_channel + g * cout + a) * problem.target_positions + t
                for b in range(cin):
                    u = (problem.source_channel + g * cin + b) * problem.source_positions + s
                    live = problem.active_u[example, u] and problem.active_v[example, v]
                    if not live and problem.length[g, a, b, tap] < np.inf:
                        least[g, a, b, tap] = min(least[g, a, b, tap], problem.supremum)


@njit(cache=True, nogil=True)
def _load(problem: Problem, buffers: Scratch, unit: int, block: int) -> tuple[int, int]:
    """Take the active channels of a block and their distances; numbers of inputs and outputs."""
    _, cout, cin, _ = problem.length.shape
    example, s, t, _, p_row, q_row = place(problem, unit, block)
    g = problem.block_group[block]
    bs, as_ = 0, 0
    for b in problem.members_b[problem.first_b[block] : problem.first_b[block + 1]]:
        u = (problem.source_channel + g * cin + b) * problem.source_positions + s
        if problem.active_u[example, u]:
            take_source(problem, buffers, g, b, s, bs)
            bs += 1
    for a in problem.members_a[problem.first_a[block] : problem.first_a[block + 1]]:
        v = (problem.target_channel + g * cout + a) * problem.target_positions + t
        if problem.active_v[example, v]:
            take_target(problem, buffers, g, a, t, as_)
            as_ += 1
    if bs > 0 and as_ > 0:
        fill(problem, buffers, p_row, q_row, bs, as_)
    return bs, as_


def _blocks(built: Built, examples: int) -> Iterator[_Block]:
    """Every base problem with live edges, in parts where it has very many."""
    problem = built.problem
    buffers = scratch(problem, built.largest_p, built.largest_q)
    for unit in range(examples * len(problem.source)):
        for index in range(len(problem.block_group)):
            bs, as_ = _load(problem, buffers, unit, index)
            if not bs or not as_:
                continue
            _, _, _, tap, p_row, q_row = place(problem, unit, index)
            g = int(problem.block_group[index])
            p = problem.p_mass[problem.p_start[p_row] : problem.p_start[p_row + 1]]
            q = problem.q_mass[problem.q_start[q_row] : problem.q_start[q_row + 1]]
            n, m, b = len(p), len(q), buffers.b[:bs].copy()
            step = max(1, ENTRIES // (max(n, m, 1) * bs))
            for first in range(0, as_, step):
                part = slice(first, min(first + step, as_))
                where = g, buffers.a[part, None].copy(), b[None, :], int(tap)
                length = problem.length[where]
                if not np.isfinite(length).any():
                    continue
                direct = buffers.direct[:bs, part].T if problem.direct[0, 0] >= 0 else length
                yield _Block(
                    where=where,
                    p=p,
                    q=q,
                    cost=buffers.D[:n, :m].copy(),
                    to_v=buffers.to_v[part, :n].copy(),
                    from_u=buffers.from_u[:bs, :m].copy(),
                    length=length,
                    direct=direct.copy(),
                )


def _pad(blocks: list[_Block], device: str) -> Batch:
    """One batch; padded costs are 0 with masses 0, padded edges have infinite length."""
    count = len(blocks)
    n, m = (max(block.cost.shape[axis] for block in blocks) for axis in (0, 1))
    targets, sources = (max(block.length.shape[axis] for block in blocks) for axis in (0, 1))

    def stack(name: str, shape: tuple[int, ...], rest: float = 0.0) -> torch.Tensor:
        out = np.full((count, *shape), rest)
        for i, block in enumerate(blocks):
            array = getattr(block, name)
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
