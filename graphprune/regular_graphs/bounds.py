"""Which regular graphs exist, and the Moore bound on their average shortest path length."""

from __future__ import annotations

from graphprune.errors import UserError


def check_degree(n: int, k: int) -> None:
    """Raise UserError unless a connected simple k-regular graph on n vertices exists.

    It does for n·k even and 2 ≤ k < n, and for (n, k) = (1, 0) and (2, 1).
    """
    for what, value in (("n", n), ("k", k)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise UserError(f"{what} is {value!r}; allowed: a whole number")
    if n < 1:
        raise UserError(f"n is {n}; allowed: n >= 1")
    if not 0 <= k < n:
        raise UserError(f"k is {k} for n={n}; allowed: 0 <= k < n (no loops, no double edges)")
    if n * k % 2:
        raise UserError(f"n={n}, k={k}: n*k is odd; allowed: n*k even (each edge has two ends)")
    if k < 2 and (n, k) not in ((1, 0), (2, 1)):
        raise UserError(f"k is {k} for n={n}; a connected graph needs k >= 2 (k=1 only for n=2)")


def degrees(n: int) -> list[int]:
    """The k for which a connected simple k-regular graph on n ≥ 1 vertices exists, ascending.

    >>> degrees(5), degrees(6)
    ([2, 4], [2, 3, 4, 5])
    """
    if n <= 2:
        return [n - 1]
    return [k for k in range(2, n) if n * k % 2 == 0]


def moore_levels(n: int, k: int) -> list[int]:
    """Most vertices a k-regular graph on n vertices can have at distance 1, 2, … from a vertex.

    A k-ary tree filled breadth first: k, k(k−1), k(k−1)², …, cut off at n−1 in total.

    >>> moore_levels(64, 4)
    [4, 12, 36, 11]
    """
    check_degree(n, k)
    levels: list[int] = []
    left, width = n - 1, k
    while left > 0:
        levels.append(min(width, left))
        left -= levels[-1]
        width *= max(k - 1, 1)
    return levels


def moore_bound(n: int, k: int) -> float:
    """Lower bound of the average shortest path length of a k-regular graph on n vertices.

    Σ_d d·N_d / (n−1) with N_d from ``moore_levels`` (Cerf et al., A lower bound on the average
    shortest path length in regular graphs, Networks 1974). 0 for n = 1.

    >>> round(moore_bound(64, 4), 3)
    2.857
    """
    if n == 1:
        return 0.0
    return sum(d * count for d, count in enumerate(moore_levels(n, k), 1)) / (n - 1)
