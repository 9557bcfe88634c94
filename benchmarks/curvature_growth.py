"""How the exact solver's cost grows with a network: widths, edges, CPU time, as table and plot.

python benchmarks/curvature_growth.py [--widths 16 32 64 128 192 256] [--threads 1]
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from tables import table, write

from graphprune.curvature.exact import parameter_curvatures
from graphprune.neural_graph.structure import Connection, Floats, Layer, NeuralGraph

WIDTHS = (16, 32, 64, 128, 192, 256)


def random_mlp(width: int) -> tuple[NeuralGraph, list[Floats]]:
    """Four hidden layers of ``width`` with half their vertices active."""
    rng = np.random.default_rng(width)
    sizes = (width, width, width, width, width, 10)
    roles = ("input", *["hidden"] * 4, "output")
    layers = tuple(Layer(f"layer{i}", (sizes[i],), roles[i]) for i in range(len(sizes)))
    connections = tuple(
        Connection(
            *(i, i + 1, rng.normal(0, a**-0.5, (1, b, a, 1)), np.zeros((1, 3), np.int64)),
            *(f"weight{i}", (b, a)),
        )
        for i, (a, b) in enumerate(pairwise(sizes))
    )
    values = [np.maximum(rng.random((1, size)) * 2 - 1, 0) for size in sizes]
    return NeuralGraph(layers, connections), values


def growth(widths: list[int], threads: int | None) -> list[dict[str, float]]:
    """Seconds of growing linear networks, per edge and per (live edge × degree)."""
    rows = []
    # the kernels are compiled or loaded before the clock runs
    parameter_curvatures(*random_mlp(8), threads=threads)
    for width in widths:
        graph, values = random_mlp(width)
        start, cpu = time.perf_counter(), time.process_time()
        counts = parameter_curvatures(graph, values, threads=threads).statistics
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        live = counts["edges"] - counts["inactive"]
        rows.append(
            {
                "width": width,
                "edges": counts["edges"],
                "live": live,
                "seconds": seconds,
                "cpu_seconds": cpu,
                "us_per_live_edge": 1e6 * cpu / live,
                "ns_per_live_edge_and_degree": 1e9 * cpu / live / width,
            }
        )
    return rows


def plot(rows: list[dict[str, float]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 3.5), layout="constrained")
    work = np.array([row["live"] * row["width"] for row in rows])
    cpu = np.array([row["cpu_seconds"] for row in rows])
    axes.loglog(work, cpu, "o-", label="exact solver")
    axes.loglog(work, cpu[-1] * work / work[-1], "--", color="grey", label="proportional")
    axes.set(xlabel="live edges × degree", ylabel="CPU seconds")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--widths", type=int, nargs="+", default=list(WIDTHS))
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    options = parser.parse_args()
    rows = growth(options.widths, options.threads)
    table(rows)
    write(rows, options.out / "curvature_growth.csv")
    plot(rows, options.out / "curvature_growth.png")


if __name__ == "__main__":
    main()
