"""What a pruning method is: hyperparameters, a paper, one entry point."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import Tensor, nn

Scores = dict[str, "Tensor"]


@dataclass(frozen=True)
class Result:
    """What a method found.

    scores: importance (larger = keep) by parameter name, each of the parameter's shape.
    weights: state-dict entries the method trained along the way (ProbMask), to be used in place
        of the dense network's; empty for every method that only ranks.
    report: numbers worth recording beside the result (solver time, ASPL, bound, entropy, ...).
    onward: what a run of the same method at a tighter sparsity may go on from (`run_after`); lives
        in memory only.
    """

    scores: Scores
    weights: dict[str, Tensor] = field(default_factory=dict)
    report: dict[str, float] = field(default_factory=dict)
    onward: object = None


@dataclass(frozen=True)
class Method(ABC):
    """A pruning method. Subclasses are frozen dataclasses whose fields are the hyperparameters.

    per_sparsity: the result depends on the wanted sparsity, so each target needs its own run;
        such a method has a field ``sparsity``.
    decides_mask: scores are 1 (keep) or 0 and the method alone decides how many weights go; the
        achieved sparsity is what is reported (RGP).
    examples: which examples ``run`` needs: "none", "calibration" (a few, correctly classified) or
        "training" (the training split).
    seeded: has a field ``seed``.
    """

    name: ClassVar[str]
    paper: ClassVar[str]
    per_sparsity: ClassVar[bool] = False
    decides_mask: ClassVar[bool] = False
    examples: ClassVar[str] = "none"
    seeded: ClassVar[bool] = False

    @abstractmethod
    def run(
        self, model: nn.Module, inputs: Tensor | None = None, targets: Tensor | None = None
    ) -> Result:
        """Score every prunable weight of ``model``, which is left as it was.

        inputs: ``(n, *input shape)`` float32; targets: int64 ``(n,)``.
        """

    def run_after(
        self,
        looser: Result | None,
        model: nn.Module,
        inputs: Tensor | None = None,
        targets: Tensor | None = None,
    ) -> Result:
        """As `run`; a method that can goes on from its own result at a looser sparsity."""
        return self.run(model, inputs, targets)
