"""Connected k-regular graphs to start a search from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphprune.errors import UserError, one_of
from graphprune.regular_graphs.bounds import check_degree
from graphprune.regular_graphs.measures import Adjacency, distances

Ints = npt.NDArray[np.int64]

GENERATORS = ("graph-tool", "numpy")


def random_regular_graph(n: int, k: int, seed: int = 0, generator: str = "graph-tool") -> Adjacency:
    """A connected random simple k-regular graph, boolean ``(n, n)``.

    generator: "graph-tool" (``random_graph``: a random pairing of the degrees, then Markov chain
        edge switches) or "numpy" (switches of a circulant graph, which needs no other package).
        Both draw again until the graph is connected.

    Raises UserError if no such graph exists, or graph-tool is wanted and not installed.
    """
    check_degree(n, k)
    if generator not in GENERATORS:
        raise one_of("generator", generator, GENERATORS)
    if k < 3 or k == n - 1:
        return _only_graph(n, k)
    draw = _by_graph_tool if generator == "graph-tool" else _by_switches
    for attempt in range(1000):
        adjacency = draw(n, k, seed + 1_000_003 * attempt)
        if (distances(adjacency[:]) >= 0).all():
            return adjacency
    raise UserError(f"no connected graph with n={n}, k={k} in 1000 draws; choose another seed")


def _only_graph(n: int, k: int) -> Adjacency:
    """The cycle (k = 2) or the complete graph (k = n−1), unique up to the vertices' numbers."""
    if k == n - 1:
        return ~np.eye(n, dtype=np.bool_)
    return circulant(n, k)


def circulant(n: int, k: int) -> Adjacency:
    """The circulant graph of shifts ±1 … ±⌊k/2⌋, for odd k with a perfect matching besides.

    The matching joins even i with i + d, d odd, so that the graph is unchanged by even rotations.
    """
    return _from_neighbours(circulant_neighbours(n, k))


def circulant_neighbours(n: int, k: int) -> Ints:
    """Neighbours in ``circulant(n, k)``, int64 ``(n, k)``; slot j means the same everywhere."""
    vertices = np.arange(n)
    columns = [vertices + sign * s for s in range(1, k // 2 + 1) for sign in (1, -1)]
    if k % 2:
        d = k // 2 + 1
        d += 1 - d % 2
        columns.append(np.where(vertices % 2 == 0, vertices + d, vertices - d))
    neighbours: Ints = np.stack(columns, axis=1) % n
    return neighbours


def _from_neighbours(neighbours: Ints) -> Adjacency:
    n = len(neighbours)
    adjacency = np.zeros((n, n), dtype=np.bool_)
    adjacency[np.arange(n)[:, None], neighbours] = True
    return adjacency


def _by_graph_tool(n: int, k: int, seed: int) -> Adjacency:
    try:
        import graph_tool
        from graph_tool import generation
    except ImportError as error:
        raise UserError(
            'graph-tool is not installed; install it or choose generator="numpy"'
        ) from error
    threads = graph_tool.openmp_get_num_threads() if graph_tool.openmp_enabled() else 1
    try:
        if graph_tool.openmp_enabled():
            graph_tool.openmp_set_num_threads(1)
        graph_tool.seed_rng(seed % 2**32 or 2**32)  # graph-tool takes a seed of 0 as "any"
        graph = generation.random_graph(n, lambda: k, directed=False)
    finally:
        if graph_tool.openmp_enabled():
            graph_tool.openmp_set_num_threads(threads)
    adjacency = np.zeros((n, n), dtype=np.bool_)
    source, target = graph.get_edges().T
    adjacency[source, target] = adjacency[target, source] = True
    return adjacency


def _by_switches(n: int, k: int, seed: int) -> Adjacency:
    """20 proposed switches an edge, loops and double edges refused (uniform in the limit)."""
    generator = np.random.default_rng(seed)
    adjacency = circulant(n, k)
    edges = np.argwhere(np.triu(adjacency))
    picks = generator.integers(len(edges), size=(20 * len(edges), 2))
    flips = generator.integers(2, size=len(picks))
    for (i, j), flip in zip(picks, flips, strict=True):
        u, v = edges[i]
        w, y = edges[j][::-1] if flip else edges[j]
        if len({u, v, w, y}) < 4 or adjacency[u, y] or adjacency[w, v]:
            continue
        adjacency[u, v] = adjacency[v, u] = adjacency[w, y] = adjacency[y, w] = False
        adjacency[u, y] = adjacency[y, u] = adjacency[w, v] = adjacency[v, w] = True
        edges[i], edges[j] = (u, y), (w, v)
    return adjacency
