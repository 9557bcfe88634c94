"""ProbMask's cost: a training step against a dense one, and the projection by itself.

    python benchmarks/probmask.py --models lenet5 vgg9 resnet20 --threads 1

All ratios are of CPU times or memory measured in one process. Dense and masked steps alternate, so
that a busy machine disturbs both alike. The dense step is that of `graphprune.training.loop`, with
the same network, batch and fused SGD: one forward and one backward pass. K draws make K of each.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from graphprune import models, project
from graphprune.files import write_csv
from graphprune.probmask.projection import project_
from graphprune.probmask.settings import Settings
from graphprune.probmask.trainer import _Trainer
from graphprune.training import loop
from graphprune.training.optimizers import SGD, Adam

SHAPES = {"lenet5": (1, 28, 28), "mlp": (1, 28, 28)}
CIFAR = (3, 32, 32)
MIB = 2.0**20


def seconds(run: Callable[[], object]) -> float:
    """CPU seconds of all threads: less disturbed by other programs than the clock."""
    start = time.process_time()
    run()
    return time.process_time() - start


def alternating(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each run, taken in turns after one warm-up."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(repeats):
        for name, run in runs.items():
            taken[name].append(seconds(run))
    return {name: median(values) for name, values in taken.items()}


def state_bytes(*groups: object) -> float:
    """MiB of the distinct storages among tensors, optimizers and networks."""
    storages: dict[int, int] = {}
    for group in groups:
        for tensor in _tensors(group):
            storage = tensor.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values()) / MIB


def _tensors(group: object) -> list[torch.Tensor]:
    if isinstance(group, torch.nn.Module):
        parameters = list(group.parameters())
        gradients = [p.grad for p in parameters if p.grad is not None]
        return [*parameters, *gradients, *group.buffers()]
    if isinstance(group, SGD):
        return [velocity for velocity in group.velocity if velocity is not None]
    if isinstance(group, Adam):
        return [*group.first, *group.second]
    return [group] if isinstance(group, torch.Tensor) else []


def steps(name: str, batch: int, repeats: int) -> dict[str, object]:
    shape = SHAPES.get(name, CIFAR)
    x, y = torch.randn(batch, *shape), torch.randint(0, 10, (batch,))
    dense = models.build(name, shape, 10, seed=0)
    sgd = SGD(dense.parameters(), momentum=0.9, weight_decay=5e-4, fused=True)

    def dense_step() -> None:
        loop._step(dense, sgd, 1e-3, x, y)

    trainers = {
        k: _Trainer(dense, Settings(draws=k, learning_rate_weights=1e-3), epochs=1) for k in (1, 2)
    }
    runs: dict[str, Callable[[], object]] = {"dense": dense_step}
    for k, trainer in trainers.items():
        # past the ramp, probabilities spread out as in the middle of a training
        trainer.step(x, y, 0.3)
        runs[f"K{k}"] = lambda trainer=trainer: trainer.step(x, y, 0.5)
    two = trainers[2]
    moved = two.probabilities + 0.006 * torch.randn_like(two.probabilities)

    def projection() -> None:
        project_(moved.clone(), 0.2 * moved.numel(), two.shift)

    taken = alternating({**runs, "projection": projection}, repeats)
    one = trainers[1]
    masked_state = state_bytes(
        one.binding.model,
        one.binding.gradient,
        one.weights,
        one.weights.grad,
        one.mask,
        one.probabilities,
        one.probabilities.grad,
        one.adam,
        one.sgd,
    )
    return {
        "model": name,
        "weights": two.binding.count,
        "batch": batch,
        "dense_ms": round(1e3 * taken["dense"], 2),
        "K1_ratio": round(taken["K1"] / taken["dense"], 3),
        "K2_ratio": round(taken["K2"] / taken["dense"], 3),
        "projection_share_K1": round(taken["projection"] / taken["K1"], 4),
        "projection_share_K2": round(taken["projection"] / taken["K2"], 4),
        "state_dense_mib": round(state_bytes(dense, sgd), 2),
        "state_masked_mib": round(masked_state, 2),
    }


def options(name: str, batch: int, repeats: int, compiled: bool) -> list[dict[str, object]]:
    """A step at K = 2 with bfloat16 passes, and with ``torch.compile``, against float32 as is."""
    shape = SHAPES.get(name, CIFAR)
    x, y = torch.randn(batch, *shape), torch.randint(0, 10, (batch,))
    model = models.build(name, shape, 10, seed=0)
    settings = {"float32": Settings(), "bfloat16": Settings(precision="bfloat16")}
    if compiled:
        settings["float32, torch.compile"] = Settings()
    trainers = {label: _Trainer(model, chosen, epochs=1) for label, chosen in settings.items()}
    first = {}
    for label, trainer in trainers.items():
        if "compile" in label:
            trainer.binding.model.compile()
        first[label] = seconds(lambda trainer=trainer: trainer.step(x, y, 0.3))
    runs: dict[str, Callable[[], object]] = {
        label: lambda trainer=trainer: trainer.step(x, y, 0.5)
        for label, trainer in trainers.items()
    }
    taken = alternating(runs, repeats)
    return [
        {
            "model": name,
            "option": label,
            "first_s": round(first[label], 2),
            "step_ms": round(1e3 * taken[label], 2),
            "ratio": round(taken[label] / taken["float32"], 3),
        }
        for label in taken
    ]


def projections(entries: int, tensors: int, repeats: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    generator = torch.Generator().manual_seed(0)
    s = (torch.rand(entries, generator=generator) < 0.1).float()
    s += 0.006 * torch.randn(entries, generator=generator)
    budget = 0.09 * entries
    for count in (1, tensors):
        parts = list(s.tensor_split(count))
        out = project(parts, budget)
        total = float(sum(part.double().sum() for part in out))
        taken = alternating({"project": lambda parts=parts: project(parts, budget)}, repeats)
        rows.append(
            {
                "tensors": count,
                "entries": entries,
                "ms": round(1e3 * taken["project"], 2),
                "relative_error_of_the_sum": f"{abs(total - budget) / budget:.1e}",
            }
        )
    return rows


def show(rows: list[dict[str, object]], path: Path) -> None:
    print("  ".join(rows[0]))
    for row in rows:
        print("  ".join(f"{row[key]!s:>{len(key)}}" for key in row))
    write_csv(path, rows)
    print(f"-> {path}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="*", default=["lenet5", "vgg9", "resnet20"])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--entries", type=int, default=20_000_000)
    parser.add_argument("--tensors", type=int, default=5_000)
    parser.add_argument("--options", action="store_true", help="bfloat16 as well")
    parser.add_argument("--compile", action="store_true", help="with --options, torch.compile too")
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    rows = [steps(name, arguments.batch, arguments.repeats) for name in arguments.models]
    if rows:
        show(rows, arguments.output / "probmask_step.csv")
    if arguments.options:
        chosen = [
            row
            for name in arguments.models
            for row in options(name, arguments.batch, arguments.repeats, arguments.compile)
        ]
        show(chosen, arguments.output / "probmask_options.csv")
    if arguments.entries:
        table = projections(arguments.entries, arguments.tensors, max(3, arguments.repeats // 3))
        show(table, arguments.output / "probmask_projection.csv")


if __name__ == "__main__":
    main()
