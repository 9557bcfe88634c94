"""Magnitude pruning: the importance of a weight is its absolute value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from graphprune.methods.base import Method, Result

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Magnitude(Method):
    """importance = |w|; global or per layer is the pruning scope's choice, not the score's.

    Paper: Han et al., Learning both Weights and Connections for Efficient Neural Networks,
    arXiv 1506.02626.
    """

    name: ClassVar[str] = "magnitude"
    paper: ClassVar[str] = "arXiv 1506.02626"
    title: ClassVar[str] = "Magnitude"
    colour: ClassVar[str] = "#0072B2"
    marker: ClassVar[str] = "o"

    def run(
        self, model: nn.Module, inputs: Tensor | None = None, targets: Tensor | None = None
    ) -> Result:
        from graphprune.masks import prunable

        return Result({name: w.detach().abs().clone() for name, w in prunable(model).items()})
