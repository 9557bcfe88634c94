"""Compiled products of a sparse matrix with shifted rows: the inner loop of the sparse layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import get_num_threads, njit, prange, set_num_threads

__all__ = [
    "get_num_threads",
    "pack_rows",
    "row_products",
    "set_num_threads",
    "shifted_sums",
    "shifted_sums_parallel",
]

Array = npt.NDArray[Any]
# rows are padded to a multiple of this many entries, so that eight products share one load and one
# store of the result
UNROLL = 8
# columns of one task: short enough that the partial sums stay in the first-level cache
CHUNK = 512


def _shifted_sums(
    x: Array, pointers: Array, offsets: Array, weights: Array, bias: Array, out: Array, length: int
) -> None:
    """out[o, l] = bias[o] + Σ_e weights[e] · x[offsets[e] + l] for l < length, e in row o.

    x: flat input; pointers: int64 ``(rows + 1,)``, multiples of ``UNROLL``, into offsets (int64)
    and weights; out: ``(rows, ≥ length)``, C order.
    """
    rows = out.shape[0]
    chunks = (length + CHUNK - 1) // CHUNK
    for task in prange(rows * chunks):
        lo = task // rows * CHUNK
        o = task % rows
        m = min(CHUNK, length - lo)
        total = out[o, lo : lo + m]
        for i in range(m):
            total[i] = bias[o]
        for e in range(pointers[o], pointers[o + 1], UNROLL):
            x0 = x[offsets[e] + lo : offsets[e] + lo + m]
            x1 = x[offsets[e + 1] + lo : offsets[e + 1] + lo + m]
            x2 = x[offsets[e + 2] + lo : offsets[e + 2] + lo + m]
            x3 = x[offsets[e + 3] + lo : offsets[e + 3] + lo + m]
            x4 = x[offsets[e + 4] + lo : offsets[e + 4] + lo + m]
            x5 = x[offsets[e + 5] + lo : offsets[e + 5] + lo + m]
            x6 = x[offsets[e + 6] + lo : offsets[e + 6] + lo + m]
            x7 = x[offsets[e + 7] + lo : offsets[e + 7] + lo + m]
            w0, w1, w2, w3 = weights[e], weights[e + 1], weights[e + 2], weights[e + 3]
            w4, w5, w6, w7 = weights[e + 4], weights[e + 5], weights[e + 6], weights[e + 7]
            for i in range(m):
                total[i] += (w0 * x0[i] + w1 * x1[i] + w2 * x2[i] + w3 * x3[i]) + (
                    w4 * x4[i] + w5 * x5[i] + w6 * x6[i] + w7 * x7[i]
                )


# A parallel loop waits for its threads, even if it may use only one: for milliseconds where other
# programs hold the cores. So the plain loop does the work of one thread.
shifted_sums = njit(nogil=True, fastmath={"contract"}, cache=True)(_shifted_sums)
shifted_sums_parallel = njit(nogil=True, parallel=True, fastmath={"contract"}, cache=True)(
    _shifted_sums
)


@njit(nogil=True, fastmath={"contract", "reassoc"}, cache=True)
def row_products(
    x: Array, pointers: Array, columns: Array, weights: Array, bias: Array, out: Array
) -> None:
    """out[b, o] = bias[o] + Σ_e weights[e] · x[b, columns[e]], for few b.

    x: ``(batch, inputs)``; columns: unsigned, so that numba need not handle negative indices;
    out: ``(batch, rows)``, C order.
    """
    for b in range(x.shape[0]):
        row = x[b]
        for o in range(out.shape[1]):
            total = bias[o]
            for e in range(pointers[o], pointers[o + 1]):
                total += weights[e] * row[columns[e]]
            out[b, o] = total


def pack_rows(
    counts: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64], weights: Array
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Array]:
    """(pointers, offsets, weights) of rows padded with weight 0 to multiples of ``UNROLL``."""
    filled = -(-counts // UNROLL) * UNROLL
    pointers = np.concatenate([[0], np.cumsum(filled)])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    places = np.arange(len(offsets)) + np.repeat(pointers[:-1] - starts, counts)
    packed_offsets = np.zeros(pointers[-1], dtype=np.int64)
    packed_weights = np.zeros(pointers[-1], dtype=weights.dtype)
    packed_offsets[places] = offsets
    packed_weights[places] = weights
    return pointers, packed_offsets, packed_weights
