"""Compiled breadth-first searches over bit sets: the sum of distances from one vertex an orbit.

Both take the graph of ``annealing``: vertex (b, x) has number b·g + x, and the m = n/g vertices
(b, 0) are the sources. Few sources: one search for each, its ball and frontier are bit sets of
vertices. Many: all searches at once, each vertex holds the bit set of the sources that reach it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.extending import intrinsic

Ints = npt.NDArray[np.int32]
Words = npt.NDArray[np.uint64]

DISCONNECTED = -1
TOO_LONG = -2
# with more sources than this the search from all of them at once is faster (measured)
FEW_SOURCES = 16


@intrinsic
def _popcount(_typing_context: Any, _word: Any) -> Any:
    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), codegen


@intrinsic
def _trailing_zeros(_typing_context: Any, _word: Any) -> Any:
    def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], context.get_constant(types.boolean, True))

    return types.uint64(types.uint64), codegen


@njit(cache=True, nogil=True)
def write_rows(neighbours: Ints, rows: Words) -> None:
    """Set ``rows``, uint64 ``(n, ⌈n/64⌉)``, to the bit sets of every vertex's neighbours."""
    rows[:] = 0
    for v in range(neighbours.shape[0]):
        for u in neighbours[v]:
            rows[v, u >> 6] |= np.uint64(1) << np.uint64(u & 63)


@njit(cache=True, nogil=True)
def _expand(rows: Words, frontier: Words, ball: Words, new: Words) -> None:
    """new = ball ∪ neighbours of the frontier, looking from the frontier."""
    words = ball.shape[0]
    new[:] = ball
    for i in range(words):
        word = frontier[i]
        while word != 0:
            v = 64 * i + np.int64(_trailing_zeros(word))  # type: ignore[call-arg]
            word &= word - np.uint64(1)
            for c in range(words):
                new[c] |= rows[v, c]


@njit(cache=True, nogil=True)
def _collect(rows: Words, frontier: Words, ball: Words, new: Words, last: np.uint64) -> None:
    """The same set, looking back from every vertex outside the ball."""
    words = ball.shape[0]
    for i in range(words):
        reached = ball[i]
        word = ~reached & last if i == words - 1 else ~reached
        while word != 0:
            low = word & (~word + np.uint64(1))
            v = 64 * i + np.int64(_trailing_zeros(word))  # type: ignore[call-arg]
            word ^= low
            for c in range(words):
                if rows[v, c] & frontier[c] != 0:
                    reached |= low
                    break
        new[i] = reached


@njit(cache=True, nogil=True)
def distance_sum_few(neighbours: Ints, rows: Words, g: int, work: Words, limit: float) -> int:
    """``distance_sum`` one source at a time; ``TOO_LONG`` once the sum must exceed ``limit``.

    rows: bit sets of ``write_rows``. work: uint64 ``(3, ⌈n/64⌉)`` work space. The last levels are
    searched from the side that has fewer vertices (Beamer et al., SC 2012).
    """
    n, k = neighbours.shape
    m = n // g
    words = rows.shape[1]
    last = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 * words - n)
    ball, frontier, new = work[0], work[1], work[2]
    least, left, tree = 0, n - 1, k
    while left > 0:
        least += left
        left -= tree
        tree *= k - 1
    total = 0
    for b in range(m):
        source = b * g
        for i in range(words):
            ball[i] = frontier[i] = rows[source, i]
        ball[source >> 6] |= np.uint64(1) << np.uint64(source & 63)
        missing, width = n - 1 - k, k
        total += n - 1 + missing
        while missing > 0:
            if missing < width:
                _collect(rows, frontier, ball, new, last)
            else:
                _expand(rows, frontier, ball, new)
            width = 0
            for i in range(words):
                frontier[i] = new[i] & ~ball[i]
                ball[i] = new[i]
                width += int(_popcount(frontier[i]))  # type: ignore[call-arg]
            if width == 0:
                return DISCONNECTED
            missing -= width
            total += missing
        if total + (m - 1 - b) * least > limit:
            return TOO_LONG
    return total


@njit(cache=True, nogil=True)
def _distance_sum_one_word(neighbours: Ints, g: int, reach: Words, spare: Words) -> int:
    """``distance_sum`` with at most 64 sources: the set that reaches a vertex is one word."""
    n, k = neighbours.shape
    m = n // g
    full = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - m)
    for v in range(n):
        reach[v, 0] = 0
    for b in range(m):
        bit = np.uint64(1) << np.uint64(b)
        reach[b * g, 0] |= bit
        for j in range(k):
            reach[neighbours[b * g, j], 0] |= bit
    missing = m * (n - 1 - k)
    total = m * (n - 1) + missing
    now, new = reach, spare
    while missing > 0:
        before = missing
        missing = 0
        for v in range(n):
            word = now[v, 0]
            for j in range(k):
                word |= now[neighbours[v, j], 0]
            new[v, 0] = word
            missing += int(_popcount(full & ~word))  # type: ignore[call-arg]
        if missing == before:
            return DISCONNECTED
        total += missing
        now, new = new, now
    return total


@njit(cache=True, nogil=True)
def _distance_sum_words(neighbours: Ints, g: int, reach: Words, spare: Words) -> int:
    n, k = neighbours.shape
    m = n // g
    words = reach.shape[1]
    reach[:] = 0
    for b in range(m):
        bit = np.uint64(1) << np.uint64(b & 63)
        reach[b * g, b >> 6] |= bit
        for j in range(k):
            reach[neighbours[b * g, j], b >> 6] |= bit
    missing = m * (n - 1 - k)
    total = m * (n - 1) + missing
    now, new = reach, spare
    while missing > 0:
        before = missing
        reached = 0
        for v in range(n):
            for i in range(words):
                new[v, i] = now[v, i]
            for j in range(k):
                u = neighbours[v, j]
                for i in range(words):
                    new[v, i] |= now[u, i]
            for i in range(words):
                reached += int(_popcount(new[v, i]))  # type: ignore[call-arg]
        missing = m * n - reached
        if missing == before:
            return DISCONNECTED
        total += missing
        now, new = new, now
    return total


@njit(cache=True, nogil=True)
def distance_sum_many(neighbours: Ints, g: int, reach: Words, spare: Words) -> int:
    """Sum of the distances from the m = n/g vertices (b, 0) to all others, or ``DISCONNECTED``.

    neighbours: int32 ``(n, k)``, simple and k-regular. reach, spare: uint64 ``(n, ⌈m/64⌉)`` work
    space. Level by level every vertex takes the union of its neighbours' sets of sources; a source
    that is missing after level d adds 1 to the sum for every such d.
    """
    if reach.shape[1] == 1:
        return _distance_sum_one_word(neighbours, g, reach, spare)
    return _distance_sum_words(neighbours, g, reach, spare)
