"""Bounds and certificates for all edges of one base problem. Compiled with numba.

With base optimum (cost W₀, flow x, potentials f, g), r_k = d(k, v) − d(u, v), c_m = d(u, m) and
the cost W of an edge's own problem (see ``simplex.solve_edge``):

- dual:   W ≥ max over h of Σ p_k min(f_k, r_k + h) + Σ q_m min(g_m, c_m − h);
- base:   W ≤ W₀, exact where max_k (f_k − r_k) ≤ min_m (c_m − g_m);
- hub:    W ≤ ⟨p, r⟩ + ⟨q, c⟩ where all mass may pass through u → v, exact where
          r_k + c_m ≤ D_km for all k, m;
- detour: W ≤ Σ x_km min(D_km, r_k + c_m).

Lowering f and g keeps them feasible for D, which proves the first; the others are flows.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from graphprune.curvature.spanning_tree import Indices
from graphprune.neural_graph.structure import Floats

_FAST = {"nnan", "nsz", "reassoc", "contract", "arcp"}


@njit(cache=True, nogil=True, fastmath=_FAST)
def least_difference(a: Floats, b: Floats) -> float:
    """min(a − b)."""
    best = np.inf
    for i in range(len(a)):
        best = min(best, a[i] - b[i])
    return best


@njit(cache=True, nogil=True, fastmath=_FAST)
def dot(a: Floats, b: Floats) -> float:
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@njit(cache=True, nogil=True, fastmath=_FAST)
def greatest(a: Floats) -> float:
    best = -np.inf
    for i in range(len(a)):
        best = max(best, a[i])
    return best


@njit(cache=True, nogil=True, fastmath=_FAST)
def _clipped(mass: Floats, potential: Floats, distance: Floats, shift: float) -> float:
    """Σ mass · min(potential, distance + shift)."""
    total = 0.0
    for i in range(len(mass)):
        total += mass[i] * min(potential[i], distance[i] + shift)
    return total


@njit(cache=True, nogil=True, fastmath=_FAST)
def _clipped_mass(mass: Floats, potential: Floats, distance: Floats, shift: float) -> float:
    """Mass where the distance + shift is below the potential."""
    total = 0.0
    for i in range(len(mass)):
        total += mass[i] if distance[i] + shift < potential[i] else 0.0
    return total


@njit(cache=True, nogil=True)
def dual_bound(
    p: Floats,
    f: Floats,
    to_v: Floats,
    q: Floats,
    g: Floats,
    from_u: Floats,
    direct: float,
    low: float,
    high: float,
) -> tuple[float, float]:
    """Greatest value of the concave dual bound over h in [low, high], and its h."""
    best, where = -np.inf, low
    for _ in range(12):
        h = 0.5 * (low + high)
        value = _clipped(p, f, to_v, h - direct) + _clipped(q, g, from_u, -h)
        if value > best:
            best, where = value, h
        slope = _clipped_mass(p, f, to_v, h - direct) - _clipped_mass(q, g, from_u, -h)
        if slope > 0.0:
            low = h
        elif slope < 0.0:
            high = h
        else:
            break
    return best, where


@njit(cache=True, nogil=True)
def detour(
    D: Floats,
    n: int,
    m: int,
    parents: Indices,
    flow: Floats,
    to_v: Floats,
    from_u: Floats,
    direct: float,
) -> float:
    """Cost of the base flow where each arc may pass through u → v instead."""
    cost = 0.0
    for k in range(n):
        if flow[k] > 0.0:
            j = parents[k] - n
            cost += flow[k] * min(D[k, j], to_v[k] + from_u[j] - direct)
    for j in range(m):
        k = parents[n + j]
        cost += flow[n + j] * min(D[k, j], to_v[k] + from_u[j] - direct)
    return cost


@njit(cache=True, nogil=True, fastmath=_FAST)
def _raise(t: Floats, distance: float, row: Floats) -> None:
    for j in range(len(t)):
        t[j] = max(t[j], distance - row[j])


@njit(cache=True, nogil=True)
def excess(D: Floats, n: int, m: int, to_v: Floats, out: Floats) -> None:
    """out[j] = max over k of d(k, v) − D_kj: the hub serves sink j iff out[j] + c_j ≤ d(u, v)."""
    out[:m] = -np.inf
    for k in range(n):
        _raise(out[:m], to_v[k], D[k, :m])


@njit(cache=True, nogil=True, fastmath=_FAST)
def greatest_sum(a: Floats, b: Floats) -> float:
    """max(a + b)."""
    best = -np.inf
    for i in range(len(a)):
        best = max(best, a[i] + b[i])
    return best
