"""The projection's two passes over memory, compiled for the CPU.

Float32 entries are read once and summed in float64. Partial sums over fixed blocks are added in
order, so the result does not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[Any]

BLOCK = 1 << 16
# below this many entries the start of the threads costs more than they save
PARALLEL = 1 << 19


# NaN must come through, so of the fast-math rules only reordering is allowed: it vectorises the sum
@numba.njit(cache=True, fastmath={"reassoc", "contract", "nsz"}, inline="always")
def _block(values: Vector, first: int, last: int, v: float) -> tuple[float, int]:
    total = 0.0
    active = 0
    for i in range(first, last):
        shifted = float(values[i]) - v
        active += 1 if 0.0 < shifted < 1.0 else 0
        total += 0.0 if shifted < 0.0 else (1.0 if shifted > 1.0 else shifted)
    return total, active


@numba.njit(cache=True, fastmath={"reassoc", "contract", "nsz"})
def _serial(values: Vector, v: float) -> tuple[float, float]:
    total, active = 0.0, 0
    for first in range(0, values.size, BLOCK):
        part, count = _block(values, first, min(first + BLOCK, values.size), v)
        total += part
        active += count
    return total, float(active)


@numba.njit(cache=True, parallel=True, fastmath={"reassoc", "contract", "nsz"})
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


@numba.njit(cache=True)
def _clip_serial(values: Vector, v: float) -> None:
    for i in range(values.size):
        values[i] = min(max(float(values[i]) - v, 0.0), 1.0)


@numba.njit(cache=True, parallel=True)
def _clip_parallel(values: Vector, v: float) -> None:
    for i in numba.prange(values.size):
        values[i] = min(max(float(values[i]) - v, 0.0), 1.0)


def sum_and_active(values: Vector, v: float) -> tuple[float, float]:
    """Σ clip(values − v, 0, 1) and the number of entries with 0 < value − v < 1, in one pass.

    values: contiguous float32 or float64 ``(n,)``. A NaN among the values gives a NaN sum.
    """
    kernel = _parallel if values.size >= PARALLEL else _serial
    total, active = kernel(values, v)
    return total, active


def clip(values: Vector, v: float) -> None:
    """values ← clip(values − v, 0, 1) in place, the difference taken in float64."""
    kernel = _clip_parallel if values.size >= PARALLEL else _clip_serial
    kernel(values, v)
