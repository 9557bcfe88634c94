"""Bounds of the cost of an edge problem, and when they are exact. Compiled with numba.

The base optimum has cost W₀, flow x and potentials f, g. An edge u → v adds the hub: mass may take
the detour from k to m at cost r_k + c_m, where r_k = d(k, v) − d(u, v) and c_m = d(u, m) (see
``simplex.solver``). For the cost W of the edge problem:

- dual:   W ≥ max over h of Σ p_k min(f_k, r_k + h) + Σ q_m min(g_m, c_m − h);
- base:   W ≤ W₀, with equality if max_k (f_k − r_k) ≤ min_m (c_m − g_m);
- hub:    W ≤ ⟨p, r⟩ + ⟨q, c⟩ if all mass may take the detour, with equality if r_k + c_m ≤ D_km for
          all k, m;
- detour: W ≤ Σ x_km min(D_km, r_k + c_m) if all mass may take the detour.

The first holds because lowered f and g are still feasible for D. The others are costs of plans.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from graphprune.curvature.simplex.spanning_tree import Indices
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
    """⟨a, b⟩."""
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@njit(cache=True, nogil=True, fastmath=_FAST)
def greatest(a: Floats) -> float:
    """max(a)."""
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
    """Greatest value of the dual bound found for h in [low, high], and that h.

    The bound is concave in h; bisection halves the interval at most 12 times.
    f: ``(n,)``, g: ``(m,)`` potentials; to_v: d(k, v); from_u: d(u, m); direct: d(u, v).
    """
    best, best_h = -np.inf, low
    for _ in range(12):
        h = 0.5 * (low + high)
        value = _clipped(p, f, to_v, h - direct) + _clipped(q, g, from_u, -h)
        if value > best:
            best, best_h = value, h
        slope = _clipped_mass(p, f, to_v, h - direct) - _clipped_mass(q, g, from_u, -h)
        if slope > 0.0:
            low = h
        elif slope < 0.0:
            high = h
        else:
            break
    return best, best_h


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
    """Cost of the base flow if the flow of each arc takes the detour where that is cheaper."""
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
def _raise(out: Floats, distance: float, row: Floats) -> None:
    """Raise ``out`` to distance − row."""
    for j in range(len(out)):
        out[j] = max(out[j], distance - row[j])


@njit(cache=True, nogil=True)
def excess(D: Floats, n: int, m: int, to_v: Floats, out: Floats) -> None:
    """out[j] = max over k of d(k, v) − D_kj.

    The detour to j is no longer than D_kj, for all k, if and only if out[j] + c_j ≤ d(u, v).
    """
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
