"""The compiled search: simulated annealing over switches that keep every degree.

A graph on n = m·g vertices that the cyclic group of order g leaves unchanged is stored as its
quotient: m·k *arcs*, arc ``a = b·k + j`` leading from vertex (b, 0) to (``base[a]``, ``shift[a]``),
``reverse[a]`` being the arc back. Vertex (b, x) has number b·g + x. With g = 1 this is any graph.
All vertices of an orbit see the same distances, so m searches instead of n give the ASPL.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from graphprune.regular_graphs.breadth_first import (
    FEW_SOURCES,
    Ints,
    Words,
    distance_sum_few,
    distance_sum_many,
    write_rows,
)


@njit(cache=True, nogil=True, inline="always")
def _random(state: Words) -> np.uint64:
    """Next word of xorshift64* (Vigna 2016), advancing ``state[0]``."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    word: np.uint64 = x * np.uint64(0x2545F4914F6CDD1D)
    return word


@njit(cache=True, nogil=True, inline="always")
def _below(state: Words, bound: int) -> int:
    word = ((_random(state) >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32)
    return np.int64(word)  # type: ignore[return-value]  # int() of an unsigned word stays unsigned


@njit(cache=True, nogil=True, inline="always")
def _uniform(state: Words) -> float:
    return (float(_random(state) >> np.uint64(11)) + 0.5) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True)
def _write_arc(
    arc: int, base: Ints, shift: Ints, neighbours: Ints, rows: Words, g: int, few: bool
) -> None:
    """Write all images of an arc to the neighbours and, for few sources, to their bit sets."""
    k = neighbours.shape[1]
    row, slot = arc // k * g, arc % k
    target, s = base[arc] * g, shift[arc]
    for x in range(g):
        y = x + s
        if y >= g:
            y -= g
        y += target
        if few:
            # flipped, not set: a double edge that is undone leaves the bits as they were
            old = neighbours[row + x, slot]
            rows[row + x, old >> 6] ^= np.uint64(1) << np.uint64(old & 63)
            rows[row + x, y >> 6] ^= np.uint64(1) << np.uint64(y & 63)
        neighbours[row + x, slot] = y


@njit(cache=True, nogil=True)
def _is_simple(arc: int, neighbours: Ints, g: int) -> bool:
    k = neighbours.shape[1]
    vertex, slot = arc // k * g, arc % k
    target = neighbours[vertex, slot]
    if target == vertex:
        return False
    for j in range(k):  # noqa: SIM110 (numba has no all() of a generator)
        if j != slot and neighbours[vertex, j] == target:
            return False
    return True


@njit(cache=True, nogil=True)
def _join(a: int, c: int, s: int, base: Ints, shift: Ints, reverse: Ints, k: int, g: int) -> None:
    base[a], base[c] = c // k, a // k
    shift[a], shift[c] = s, (g - s) % g
    reverse[a], reverse[c] = c, a


@njit(cache=True, nogil=True)
def _cost(
    neighbours: Ints,
    rows: Words,
    g: int,
    few: bool,
    work: Words,
    reach: Words,
    spare: Words,
    objective: npt.NDArray[np.int64],
    limit: float,
) -> float:
    """What the search minimises, inf where the graph is not connected (or the cost > limit)."""
    sign, goal = objective[0], objective[1]
    if few:
        total = distance_sum_few(neighbours, rows, g, work, limit if sign == 1 else math.inf)
    else:
        total = distance_sum_many(neighbours, g, reach, spare)
    if total < 0:
        return math.inf
    return float(abs(total - goal)) if sign == 0 else float(sign * total)


@njit(cache=True, nogil=True)
def anneal(
    base: Ints,
    shift: Ints,
    reverse: Ints,
    neighbours: Ints,
    best: Ints,
    costs: npt.NDArray[np.float64],
    state: Words,
    schedule: npt.NDArray[np.float64],
    objective: npt.NDArray[np.int64],
    evaluations: int,
) -> int:
    """Simulated annealing over switches of edge orbits; returns the number of evaluations made.

    A move takes two edges u–v and w–y (w any vertex of its orbit), replaces them by u–y and w–v
    and does the same to all their images; or, with g > 1, gives one edge orbit another shift.
    Degrees are kept; a move that makes a loop, a double edge or a disconnected graph is undone.

    base, shift, reverse: int32 ``(m·k,)``, the quotient; neighbours: int32 ``(n, k)``, the same
        graph written out; all four are changed in place.
    best, costs: the best neighbours seen, and [current cost, best cost].
    state: uint64 ``(1,)`` of the random numbers.
    schedule: [first temperature, last temperature, moves made, moves of the whole schedule].
    objective: [sign, goal, cost that ends the search]; sign +1 minimises the sum of distances, −1
        maximises it, 0 minimises its difference from goal.
    """
    n, k = neighbours.shape
    arcs = base.shape[0]
    m = arcs // k
    g = n // m
    few = m <= FEW_SOURCES
    reach = np.zeros((n, (m + 63) // 64), np.uint64)
    spare = np.zeros_like(reach)
    rows = np.zeros((n if few else 1, (n + 63) // 64), np.uint64)
    work = np.zeros((3, rows.shape[1]), np.uint64)
    if few:
        write_rows(neighbours, rows)
    stop = float(objective[2])
    changed = np.zeros(4, np.int64)
    made = 0
    temperature = 0.0
    attempts = 0
    while made < evaluations and costs[1] > stop and attempts < 50 * evaluations + 1000:
        if attempts % 64 == 0:
            progress = schedule[2] / schedule[3]
            temperature = schedule[0] * (schedule[1] / schedule[0]) ** progress
        attempts += 1
        a = _below(state, arcs)
        d = reverse[a]
        old_a = shift[a]
        if g > 1 and _below(state, 8) == 0:
            c, e, t, old_c = a, d, 0, old_a
            _join(a, d, _below(state, g), base, shift, reverse, k, g)
            changed[0], changed[1] = a, d
            count = 2
        else:
            c = _below(state, arcs)
            if c == a or c == d:  # noqa: SIM109 (numba has no "in" for mixed integers)
                continue
            e = reverse[c]
            old_c = shift[c]
            t = _below(state, g) if g > 1 else 0
            # u = (b_a, 0), v = its arc a; w = (b_c, t), y = its arc c: join u–y and w–v
            _join(a, e, (t + old_c) % g, base, shift, reverse, k, g)
            _join(c, d, (old_a - t + g) % g, base, shift, reverse, k, g)
            changed[0], changed[1], changed[2], changed[3] = a, d, c, e
            count = 4
        for i in range(count):
            _write_arc(changed[i], base, shift, neighbours, rows, g, few)
        simple = True
        for i in range(count):
            if not _is_simple(changed[i], neighbours, g):
                simple = False
                break
        accepted = False
        if simple:
            made += 1
            schedule[2] += 1.0
            limit = costs[0] - temperature * math.log(_uniform(state))
            cost = _cost(neighbours, rows, g, few, work, reach, spare, objective, limit)
            if cost < math.inf and cost <= limit:
                accepted = True
                costs[0] = cost
                if cost < costs[1]:
                    costs[1] = cost
                    best[:] = neighbours
        if not accepted:
            _join(a, d, old_a, base, shift, reverse, k, g)
            if count == 4:
                _join(c, e, old_c, base, shift, reverse, k, g)
            for i in range(count):
                _write_arc(changed[i], base, shift, neighbours, rows, g, few)
    return made
