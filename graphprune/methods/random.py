"""Random pruning: the baseline every method has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from graphprune.methods.base import Method, Result, Seed

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Random(Method):
    """importance ~ Uniform(0, 1), drawn from a generator of its own.

    Paper: Blalock et al., What is the State of Neural Network Pruning?, arXiv 2003.03033.
    """

    name: ClassVar[str] = "random"
    paper: ClassVar[str] = "arXiv 2003.03033"
    title: ClassVar[str] = "Random"
    colour: ClassVar[str] = "#767676"
    marker: ClassVar[str] = "X"
    seeded: ClassVar[bool] = True

    seed: Annotated[Seed, Field(description="Seed of the generator.")] = 0

    def run(
        self, model: nn.Module, inputs: Tensor | None = None, targets: Tensor | None = None
    ) -> Result:
        import torch

        from graphprune.masks import prunable

        generator = torch.Generator().manual_seed(self.seed)
        return Result(
            {
                name: torch.rand(w.shape, generator=generator, dtype=torch.float64)
                for name, w in prunable(model).items()
            }
        )
