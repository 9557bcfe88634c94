"""How short the paths of the regular graphs are, and how fast they are found, beside libraries.

    python benchmarks/rgp.py [--seeds 3] [--rows 64x4 256x8] [--output results/benchmarks]

Every row is one call of ``regular_graph``; compilation is done (and timed) beforehand. The second
table counts evaluations, i.e. graphs whose average path length is computed, a second.
"""

from __future__ import annotations

import argparse
import csv
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import networkx as nx
import numpy as np

from graphprune.regular_graphs import describe, random_regular_graph, regular_graph


@dataclass(frozen=True)
class Row:
    """A goal: an ASPL (or a gap to the Moore bound) at (n, k) within some seconds on 2 cores."""

    n: int
    k: int
    evaluations: int
    seconds: float
    aspl: float | None = None
    gap: float | None = None


ROWS = [
    Row(64, 4, 160_000, 0.3, aspl=2.905),
    Row(64, 4, 3_000_000, 5.0, aspl=2.880),
    Row(64, 8, 1_000_000, 5.0, aspl=1.990),
    Row(256, 8, 1_500_000, 20.0, gap=0.018),
    Row(1024, 16, 300_000, 120.0, gap=0.010),
]


@dataclass(frozen=True)
class Found:
    n: int
    k: int
    evaluations: int
    seed: int
    aspl: float
    moore_bound: float
    gap: float
    diameter: int
    seconds: float
    goal: str
    reached: bool
    in_time: bool


def run(row: Row, seed: int, threads: int) -> Found:
    start = perf_counter()
    graph = regular_graph(row.n, row.k, seed, evaluations=row.evaluations, threads=threads)
    seconds = perf_counter() - start
    figures = describe(graph)
    if row.aspl is not None:
        goal, reached = f"ASPL <= {row.aspl}", figures.aspl <= row.aspl
    else:
        goal, reached = f"gap <= {row.gap:.1%}", figures.gap <= (row.gap or 0.0)
    return Found(
        n=row.n,
        k=row.k,
        evaluations=row.evaluations,
        seed=seed,
        aspl=figures.aspl,
        moore_bound=figures.moore_bound,
        gap=figures.gap,
        diameter=figures.diameter,
        seconds=seconds,
        goal=f"{goal} in {row.seconds:g} s",
        reached=reached,
        in_time=seconds <= row.seconds,
    )


def per_second(evaluate: object, seconds: float = 1.0) -> float:
    """Calls of ``evaluate`` a second, over about ``seconds``."""
    count, start = 0, perf_counter()
    while perf_counter() - start < seconds:
        evaluate()  # type: ignore[operator]
        count += 1
    return count / (perf_counter() - start)


def rates(n: int, k: int, threads: int) -> dict[str, float]:
    """Evaluations a second: the search with and without symmetry, networkx, graph-tool."""
    graph = random_regular_graph(n, k, 0)
    speeds = {}
    count = max(2_000, 40_000_000 // (n * k))
    for name, start in (("symmetric", "symmetric"), ("any graph", "random")):
        begin = perf_counter()
        regular_graph(n, k, 1, start=start, evaluations=count, threads=threads)
        speeds[f"graphprune, {name}"] = count / (perf_counter() - begin)
    library = nx.from_numpy_array(graph)
    speeds["networkx"] = per_second(lambda: nx.average_shortest_path_length(library))
    try:
        import graph_tool
        from graph_tool.topology import shortest_distance
    except ImportError:
        return speeds
    other = graph_tool.Graph(directed=False)
    other.add_vertex(n)
    other.add_edge_list(np.argwhere(np.triu(graph)))
    speeds["graph-tool"] = per_second(
        lambda: shortest_distance(other).get_2d_array(range(n)).mean()
    )
    return speeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rows", nargs="*", help="only these sizes, such as 64x4")
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks"))
    options = parser.parse_args()
    rows = [r for r in ROWS if not options.rows or f"{r.n}x{r.k}" in options.rows]

    start = perf_counter()
    regular_graph(12, 3, evaluations=8)
    regular_graph(12, 3, evaluations=8, start="random")
    print(f"compiling (or loading what was compiled before): {perf_counter() - start:.1f} s")
    print(f"threads: {options.threads}, load: {os.getloadavg()[0]:.1f}\n")

    print(
        f"{'(n, k)':>11} {'goal':>24} {'Moore':>7} {'ASPL: median, worst':>21} {'gap':>7} seconds"
    )
    searches = []
    for row in rows:
        runs = [run(row, seed, options.threads) for seed in range(options.seeds)]
        searches += runs
        lengths = [r.aspl for r in runs]
        print(
            f"{f'({row.n}, {row.k})':>11} {runs[0].goal:>24} {runs[0].moore_bound:7.4f} "
            f"{median(lengths):10.4f} {max(lengths):10.4f} {median(r.gap for r in runs):7.2%} "
            f"{median(r.seconds for r in runs):6.2f}  reached {sum(r.reached for r in runs)}, "
            f"in time {sum(r.in_time for r in runs)} of {len(runs)}"
        )
    print("\nevaluations a second")
    for n, k in dict.fromkeys((r.n, r.k) for r in rows):
        line = ", ".join(
            f"{name} {rate:,.0f}" for name, rate in rates(n, k, options.threads).items()
        )
        print(f"{f'({n}, {k})':>11} {line}")

    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "rgp.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(asdict(searches[0])))
        writer.writeheader()
        writer.writerows(asdict(r) for r in searches)
    print(f"\nwritten: {path}")


if __name__ == "__main__":
    main()
