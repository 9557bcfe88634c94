"""Passes over all weights of a network, compiled for the CPU.

Entries are read once. No result depends on the number of threads: sums are taken in float64, over
fixed blocks that are added in order, and a random number depends on its place alone.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from graphprune.probmask.relaxation import FAINT, LARGEST, SMALLEST, TINY

Vector = npt.NDArray[Any]

BLOCK = 1 << 16
# below this many entries the start of the threads costs more than they save
PARALLEL = 1 << 19
# of the fast-math rules only reordering is allowed, which vectorises the sum: NaN must not be lost
REORDER = {"reassoc", "contract", "nsz"}

# SplitMix64 (Steele, Lea, Flood, Fast splittable pseudorandom number generators, OOPSLA 2014)
STRIDE = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)
UNIT = 2.0**-24


@numba.njit(cache=True, fastmath=REORDER, inline="always")
def _block(values: Vector, first: int, last: int, v: float) -> tuple[float, int]:
    total = 0.0
    active = 0
    for i in range(first, last):
        shifted = float(values[i]) - v
        active += 1 if 0.0 < shifted < 1.0 else 0
        total += 0.0 if shifted < 0.0 else (1.0 if shifted > 1.0 else shifted)
    return total, active


@numba.njit(cache=True, fastmath=REORDER)
def _serial(values: Vector, v: float) -> tuple[float, float]:
    total, active = 0.0, 0
    for first in range(0, values.size, BLOCK):
        part, count = _block(values, first, min(first + BLOCK, values.size), v)
        total += part
        active += count
    return total, float(active)


@numba.njit(cache=True, parallel=True, fastmath=REORDER)
def _parallel(values: Vector, v: float) -> tuple[float, float]:
    blocks = (values.size + BLOCK - 1) // BLOCK
    totals = np.empty(blocks)
    actives = np.empty(blocks, dtype=np.int64)
    for block in numba.prange(blocks):
        first = block * BLOCK
        totals[block], actives[block] = _block(values, first, min(first + BLOCK, values.size), v)
    total = 0.0
    for part in totals:
        total += part
    return total, float(actives.sum())


def _passes(loop: Any, parallel: bool) -> dict[str, Any]:
    """The elementwise passes with ``loop`` range or prange.

    The loop is a variable of a closure, so that numba's cache tells the two versions apart.
    """
    compiled = numba.njit(cache=True, error_model="numpy", parallel=parallel)

    def clip(values: Vector, v: float) -> None:
        for i in loop(values.size):
            values[i] = min(max(float(values[i]) - v, 0.0), 1.0)

    def odds(probabilities: Vector, start: np.uint64, out: Vector) -> None:
        for i in loop(probabilities.size):
            bits = (start + np.uint64(i)) * STRIDE
            bits = (bits ^ (bits >> np.uint64(30))) * FIRST
            bits = (bits ^ (bits >> np.uint64(27))) * SECOND
            bits = bits ^ (bits >> np.uint64(31))
            u = (np.float64(np.int64(bits >> np.uint64(40))) + 0.5) * UNIT
            s = min(max(float(probabilities[i]), SMALLEST), LARGEST)
            out[i] = max(s * u / ((1.0 - s) * (1.0 - u)), SMALLEST)

    def settle(mask: Vector, probabilities: Vector, weights: Vector, masked: Vector) -> None:
        for i in loop(mask.size):
            s, m = probabilities[i], mask[i]
            m = 0.0 if s <= 0.0 or m < FAINT else m
            m = 1.0 if s >= 1.0 else m
            mask[i] = m
            masked[i] = weights[i] * m

    def gather(
        gradient: Vector, mask: Vector, weights: Vector, for_weights: Vector, for_mask: Vector
    ) -> None:
        for i in loop(mask.size):
            through = gradient[i] * mask[i]
            for_weights[i] += through
            for_mask[i] += through * weights[i] * (1 - mask[i])
            gradient[i] = 0

    def slope(for_mask: Vector, probabilities: Vector, inverse_temperature: float) -> None:
        for i in loop(for_mask.size):
            s = float(probabilities[i])
            for_mask[i] *= inverse_temperature / max(s * (1.0 - s), TINY)

    return {f.__name__: compiled(f) for f in (clip, odds, settle, gather, slope)}


_SERIAL, _PARALLEL = _passes(range, False), _passes(numba.prange, True)


def _of(name: str, entries: int) -> Any:
    return (_PARALLEL if entries >= PARALLEL else _SERIAL)[name]


def sum_and_active(values: Vector, v: float) -> tuple[float, float]:
    """Σ clip(values − v, 0, 1) and the number of entries with 0 < value − v < 1, in one pass.

    values: contiguous float32 or float64 ``(n,)``. A NaN among the values gives a NaN sum.
    """
    kernel = _parallel if values.size >= PARALLEL else _serial
    total, active = kernel(values, v)
    return total, active


def clip(values: Vector, v: float) -> None:
    """values ← clip(values − v, 0, 1) in place, the difference taken in float64."""
    _of("clip", values.size)(values, v)


def odds(probabilities: Vector, start: int, out: Vector) -> None:
    """out ← s·u/((1 − s)(1 − u)), u the uniform numbers ``start``, ``start + 1``, ... in (0, 1).

    Number k is SplitMix64's output of state k·stride, its 24 leading bits and half a step. Where s
    is 0 or 1 the result is finite, but has no meaning.
    """
    _of("odds", out.size)(probabilities, np.uint64(start % 2**64), out)


def settle(mask: Vector, probabilities: Vector, weights: Vector, masked: Vector) -> None:
    """mask ← exactly 0 or 1 where s is, 0 where it is faint; masked ← weights·mask."""
    _of("settle", mask.size)(mask, probabilities, weights, masked)


def gather(
    gradient: Vector, mask: Vector, weights: Vector, for_weights: Vector, for_mask: Vector
) -> None:
    """Add g·m to ``for_weights`` and g·w·m(1 − m) to ``for_mask``; gradient ← 0."""
    _of("gather", mask.size)(gradient, mask, weights, for_weights, for_mask)


def slope(for_mask: Vector, probabilities: Vector, temperature: float) -> None:
    """for_mask ← for_mask/(τ·s(1 − s))."""
    _of("slope", for_mask.size)(for_mask, probabilities, 1.0 / temperature)
