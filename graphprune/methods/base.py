"""What a pruning method is: hyperparameters, a paper, one entry point."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from graphprune.errors import UserError
from graphprune.options import check_fields

if TYPE_CHECKING:
    from torch import Tensor, nn

Scores = dict[str, "Tensor"]
# every generator of random numbers takes these: torch's, NumPy's old and new one
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Examples = Literal["none", "calibration", "training"]
# fields of a method that the workflow sets itself, so that they are no keys of the configuration
SET_BY_WORKFLOW = ("sparsity", "seed", "threads", "checkpoint")


@dataclass(frozen=True)
class Result:
    """What a method returns.

    scores: importance (larger = keep) by parameter name, each of the parameter's shape.
    weights: state-dict entries the method trained along the way (ProbMask), to be used in place
        of the dense network's; empty for every method that only ranks.
    report: numbers worth recording beside the result (solver time, ASPL, bound, entropy, ...).
        ``epochs_trained`` is the number of epochs that the method trained by itself.
    onward: what a run of the same method at a higher sparsity may start from (`run_after`); kept
        in memory only.
    """

    scores: Scores
    weights: dict[str, Tensor] = field(default_factory=dict)
    report: dict[str, float] = field(default_factory=dict)
    onward: object = None


@dataclass(frozen=True)
class Method(ABC):
    """A pruning method: a frozen dataclass whose fields are its hyperparameters.

    Fields are annotated with their type, and with pydantic's ``Field`` for a range and a
    description. The workflow sets fields called ``sparsity``, ``seed``, ``threads`` and
    ``checkpoint``; all others are keys of the method's entry in the configuration. Every field has
    a default.

    Class attributes, by which the workflow, the figures and the documentation know the method:

    name: how the configuration and `graphprune.score` call it: lower case, digits, underscores.
    paper: where it comes from.
    title: its name in figures; ``name`` where it is empty.
    colour, marker: how figures draw it, in matplotlib's words; free ones where they are empty.
    examples: which examples ``run`` needs: "none", "calibration" (a few of each class, correctly
        classified unless the network is untrained) or "training" (the training split).
    per_sparsity: the result depends on the wanted sparsity, so each ratio is a run of its own; such
        a method has a field ``sparsity``.
    decides_mask: scores are 1 (keep) or 0 and the method alone decides how many weights go; the
        achieved sparsity is what is reported (RGP).
    seeded: draws random numbers, and has a field ``seed``.
    divisible: can score some of the examples in a job of their own (`run_part`, `gather`).
    figures: which figures it has of its own: "removal_curves" (with a
        histogram; for scores that are minus a curvature),
        "probabilities" (how far keep probabilities are from 0 and 1), "regular_graph".
    graph_options: hyperparameters that the neural graph's curvature is computed with as well.

    >>> @dataclass(frozen=True)
    ... class SquaredWeight(Method):
    ...     name: ClassVar[str] = "squared_weight"
    ...     paper: ClassVar[str] = "an example"
    ...
    ...     def run(self, model, inputs=None, targets=None):
    ...         return Result({name: w.detach() ** 2 for name, w in prunable(model).items()})
    """

    name: ClassVar[str]
    paper: ClassVar[str]
    title: ClassVar[str] = ""
    colour: ClassVar[str] = ""
    marker: ClassVar[str] = ""
    examples: ClassVar[Examples] = "none"
    per_sparsity: ClassVar[bool] = False
    decides_mask: ClassVar[bool] = False
    seeded: ClassVar[bool] = False
    divisible: ClassVar[bool] = False
    figures: ClassVar[tuple[str, ...]] = ()
    graph_options: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """Check every field by its type and range; UserError names the first wrong one."""
        check_fields(self)

    @abstractmethod
    def run(
        self, model: nn.Module, inputs: Tensor | None = None, targets: Tensor | None = None
    ) -> Result:
        """Score every prunable weight of ``model``, which is left as it was.

        model: in evaluation mode, with gradients enabled. inputs: ``(n, *input shape)`` float32;
        targets: int64 ``(n,)``.
        """

    def run_after(
        self,
        looser: Result | None,
        model: nn.Module,
        inputs: Tensor | None = None,
        targets: Tensor | None = None,
    ) -> Result:
        """As `run`, but a method may start from its own result at a lower sparsity, ``looser``."""
        return self.run(model, inputs, targets)

    def run_part(
        self,
        model: nn.Module,
        inputs: Tensor | None,
        part: int,
        parts: int,
        targets: Tensor | None = None,
    ) -> Result:
        """As `run`, by the examples of one of ``parts`` equal parts; for divisible methods."""
        raise UserError(f"method {self.name} cannot score its examples in parts")

    @classmethod
    def gather(cls, results: Sequence[Result]) -> Result:
        """The result of all examples from those of all parts; for divisible methods."""
        raise UserError(f"method {cls.name} cannot join {len(results)} parts")

    @classmethod
    def refuses(cls, model: nn.Module, input_shape: tuple[int, ...]) -> str:  # noqa: ARG003
        """Why the method cannot score ``model``, in a few words; empty if it can.

        Asked before anything starts, so that the workflow leaves the units out. model: on torch's
        meta device, its tensors have shapes but no numbers. input_shape: of one example.
        """
        return ""

    def chained(self) -> bool:
        """Whether each run starts from the result at the next lower ratio (`run_after`)."""
        return False

    def epochs_needed(self, examples: int | None = None, runs: int = 1) -> float | None:
        """Epochs that the method itself trains in ``runs`` runs, each at another sparsity.

        examples: training examples; None where they are not known, and then None is returned if
        the number of epochs depends on them.
        """
        return 0

    def passes_an_epoch(self) -> float:
        """Forward and backward passes an example takes in one of these epochs."""
        return 1
