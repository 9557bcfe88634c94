"""What pruned networks save when they are compacted, and where each layout breaks even.

    python benchmarks/compact.py [--models mlp lenet5 vgg9] [--batches 1 64] [--device cpu]

First table: networks masked by RGP, dense against ``graphprune.compact`` with an example (every
layer in the layout that was measured fastest): parameters, FLOPs, file size, median latency.
Second: single layers; for every layout the largest density k/n at which it is still faster than
the dense layer. Networks are timed in turns, so that their ratios are right on a busy machine too.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import torch
from torch import nn

from graphprune.compaction import compact, file_size, latencies, layouts_of
from graphprune.methods.rgp import RGP
from graphprune.models import build
from graphprune.regular_graphs import random_regular_graph
from graphprune.regular_graphs.mapping import block_mask
from graphprune.training.evaluation import costs

SHAPES = {"mlp": (1, 28, 28), "lenet5": (1, 28, 28)}
COLOUR = (3, 32, 32)
# name, layer, shape of one input, nodes of the graph
LAYERS: list[tuple[str, nn.Module, tuple[int, ...], int]] = [
    ("linear 784-300", nn.Linear(784, 300), (784,), 64),
    ("linear 1024-1024", nn.Linear(1024, 1024), (1024,), 64),
    ("linear 4096-4096", nn.Linear(4096, 4096), (4096,), 64),
    ("conv 64, 16x16", nn.Conv2d(64, 64, 3, padding=1), (64, 16, 16), 64),
    ("conv 128, 16x16", nn.Conv2d(128, 128, 3, padding=1), (128, 16, 16), 64),
    ("conv 256, 8x8", nn.Conv2d(256, 256, 3, padding=1), (256, 8, 8), 64),
    ("conv 256, 8x8", nn.Conv2d(256, 256, 3, padding=1), (256, 8, 8), 16),
    ("conv 512, 4x4", nn.Conv2d(512, 512, 3, padding=1), (512, 4, 4), 64),
    ("conv 512, 4x4", nn.Conv2d(512, 512, 3, padding=1), (512, 4, 4), 16),
]


def network_rows(name: str, batch: int, device: str, repeats: int) -> list[dict[str, object]]:
    shape = SHAPES.get(name, COLOUR)
    model = build(name, shape, 10).eval().to(device)
    x = torch.rand(batch, *shape, device=device)
    rows: list[dict[str, object]] = []
    for ratio in (2, 4, 8, 16, 32):
        scores = RGP(sparsity=1 - 1 / ratio, evaluations=20_000).run(model).scores
        masks = {key: score.to(device) > 0 for key, score in scores.items()}
        small = compact(model, masks, example=x)
        seconds = latencies([model, small], x, repeats)
        work = costs(model.cpu(), shape, {key: mask.cpu() for key, mask in masks.items()})
        model.to(device)
        layouts = list(layouts_of(small).values())
        rows.append(
            {
                "model": name,
                "batch": batch,
                "wanted": ratio,
                "params_total": sum(c.params_total for c in work),
                "params_kept": sum(c.params_kept for c in work),
                "flops_total": sum(c.flops_total for c in work),
                "flops_kept": sum(c.flops_kept for c in work),
                "bytes_dense": file_size(model),
                "bytes_compact": file_size(compact(model, masks, layout="smallest")),
                "ms_dense": 1e3 * seconds[0],
                "ms_compact": 1e3 * seconds[1],
                "speedup": seconds[0] / seconds[1],
                "layouts": f"{layouts.count('block')} block, {layouts.count('sparse')} sparse",
            }
        )
    return rows


def layer_rows(
    name: str, layer: nn.Module, shape: tuple[int, ...], nodes: int, batch: int, repeats: int
) -> list[dict[str, object]]:
    """Latency of a layer in every layout at several densities k/n."""
    layer.eval().requires_grad_(False)
    x = torch.rand(batch, *shape)
    rows: list[dict[str, object]] = []
    for share in (1 / 32, 1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2):
        k = round(share * nodes)
        if k < 2:
            continue
        graph = random_regular_graph(nodes, k, 0, "numpy")
        masks = {"weight": block_mask(graph, tuple(layer.weight.shape))}
        kinds = ("dense", "block", "sparse")
        seconds = latencies([compact(layer, masks, layout=kind) for kind in kinds], x, repeats)
        row: dict[str, object] = {
            "layer": name,
            "nodes": nodes,
            "batch": batch,
            "density": k / nodes,
        }
        row |= {f"ms_{kind}": 1e3 * s for kind, s in zip(kinds, seconds, strict=True)}
        rows.append(row)
    return rows


def break_even(rows: list[dict[str, object]], layout: str) -> float:
    """Density at which the layout takes as long as dense, by linear interpolation; 0 if never."""
    last, ratio_before = 0.0, 0.0
    for row in rows:
        density = float(str(row["density"]))
        ratio = float(str(row[f"ms_{layout}"])) / float(str(row["ms_dense"]))
        if ratio > 1.0:
            if last == 0.0:
                return 0.0
            return last + (density - last) * (1.0 - ratio_before) / (ratio - ratio_before)
        last, ratio_before = density, ratio
    return last


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"written: {path}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--models", nargs="*", default=["mlp", "lenet5", "vgg9"])
    parser.add_argument("--batches", nargs="*", type=int, default=[1, 64])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)

    print(f"{options.device}, {options.threads} threads\n")
    print(
        f"{'model':>8} {'batch':>5} {'wanted':>6} {'params':>7} {'FLOPs':>7} {'file':>7} "
        f"{'dense':>9} {'compact':>9} speed-up"
    )
    networks: list[dict[str, object]] = []
    for name in options.models:
        for batch in options.batches:
            for r in network_rows(name, batch, options.device, options.repeats):
                networks.append(r)
                print(
                    f"{r['model']:>8} {r['batch']:>5} {r['wanted']:>6} "
                    f"{r['params_kept'] / r['params_total']:7.1%} "
                    f"{r['flops_kept'] / r['flops_total']:7.1%} "
                    f"{r['bytes_compact'] / r['bytes_dense']:7.1%} "
                    f"{r['ms_dense']:6.2f} ms {r['ms_compact']:6.2f} ms {r['speedup']:6.2f} x  "
                    f"{r['layouts']}",
                    flush=True,
                )
    write(options.output / "compact_networks.csv", networks)

    if options.device != "cpu":
        return
    print(f"{'layer':>17} {'nodes':>5} {'batch':>5} break-even density: block, sparse")
    layers: list[dict[str, object]] = []
    for name, layer, shape, nodes in LAYERS:
        for batch in options.batches:
            rows = layer_rows(name, layer, shape, nodes, batch, options.repeats)
            layers += rows
            print(
                f"{name:>17} {nodes:>5} {batch:>5} {break_even(rows, 'block'):10.1%} "
                f"{break_even(rows, 'sparse'):8.1%}   speed-up at {rows[0]['density']:.1%}: "
                f"{rows[0]['ms_dense'] / min(rows[0]['ms_block'], rows[0]['ms_sparse']):.2f} x",
                flush=True,
            )
    write(options.output / "compact_layers.csv", layers)


if __name__ == "__main__":
    main()
