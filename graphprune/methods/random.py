"""Random pruning: the baseline every method has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from graphprune.masks import prunable
from graphprune.methods.base import Method, Result

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Random(Method):
    """importance ~ Uniform(0, 1), drawn from a generator of its own.

    seed: seed of that generator.

    Paper: Blalock et al., What is the State of Neural Network Pruning?, arXiv 2003.03033.
    """

    name: ClassVar[str] = "random"
    paper: ClassVar[str] = "arXiv 2003.03033"
    seeded: ClassVar[bool] = True

    seed: int = 0

    def run(
        self, model: nn.Module, inputs: Tensor | None = None, targets: Tensor | None = None
    ) -> Result:
        generator = torch.Generator().manual_seed(self.seed)
        return Result(
            {
                name: torch.rand(w.shape, generator=generator, dtype=torch.float64)
                for name, w in prunable(model).items()
            }
        )
