"""Fill numba's cache: ``python -m graphprune.precompile [curvature] [probmask] ...``.

The first process that needs a kernel compiles it; the curvature solver's take 40 s. Compiling once
at set-up spares the first jobs, which would all compile the same kernels at the same time. Each
function here runs a public function on the smallest problem that reaches its kernels.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch

from graphprune import models
from graphprune.errors import UserError, one_of
from graphprune.methods.scoring import score

SHAPE = (1, 28, 28)


def curvature() -> None:
    from graphprune.curvature.exact import edge_curvatures
    from graphprune.neural_graph import trace, values

    images = torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(0))
    for name in ("mlp", "lenet5"):
        model = models.build(name, SHAPE, 10)
        score(model, "curvature", images, threads=1)
        traced = trace(model, SHAPE)
        edge_curvatures(traced.graph, [layer[0] for layer in values(traced, images)], threads=1)


def regular_graphs() -> None:
    score(models.build("lenet5", SHAPE, 10), "rgp", sparsity=0.75, evaluations=100)


def probmask() -> None:
    images = torch.rand(20, *SHAPE, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(20) % 10
    score(models.build("lenet5", SHAPE, 10), "probmask", images, labels, sparsity=0.5, epochs=1)


def compaction() -> None:
    import numpy as np

    from graphprune.compaction import compact, kernels
    from graphprune.masks import prunable

    model = models.build("lenet5", SHAPE, 10)
    masks = {name: torch.rand(weight.shape) < 0.5 for name, weight in prunable(model).items()}
    sparse = compact(model, masks, layout="sparse")
    for batch in (1, 64):
        sparse(torch.rand(batch, *SHAPE))
    numbers, places = np.zeros(8, np.float32), np.zeros(8, np.int64)
    rows = np.array([0, 8])
    kernels.shifted_sums_parallel(numbers, rows, places, numbers, numbers, numbers[None], 1)


PARTS: dict[str, Callable[[], None]] = {
    "curvature": curvature,
    "regular_graphs": regular_graphs,
    "probmask": probmask,
    "compaction": compaction,
}


def main(names: list[str]) -> int:
    """Compile the named parts, all of them if none is named."""
    try:
        for name in names:
            if name not in PARTS:
                raise one_of("part", name, PARTS)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    for name in names or PARTS:
        PARTS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
