"""ProbMask: keep probabilities learned together with the weights, under one global budget."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from graphprune.errors import UserError, shown
from graphprune.methods.base import Examples, Method, Result
from graphprune.probmask.settings import PAPER, Settings

if TYPE_CHECKING:
    from torch import Tensor, nn

logger = logging.getLogger(__name__)

__all__ = ["PAPER", "ProbMask"]


@dataclass(frozen=True)
class ProbMask(Settings, Method):
    """importance = the keep probability s of a weight, trained for one target sparsity.

    min over s and w of the expected loss under masks ~ Bernoulli(s), subject to
    Σs ≤ (1 − sparsity)·N over all layers together. One training gives one target. The result
    brings the weights trained along the way, to be pruned and fine-tuned in place of the dense
    network's.

    The hyperparameters are those of `graphprune.probmask.settings.Settings`; the defaults suit a
    few thousand small images, ``ProbMask(sparsity=..., **PAPER)`` is the paper's own setting.

    Paper: Zhou et al., Effective Sparsification of Neural Networks with Global Sparsity
    Constraint, CVPR 2021, arXiv 2105.01571.

    >>> masks = prune(score(model, "probmask", images, labels, sparsity=0.9), 0.9)
    """

    name: ClassVar[str] = "probmask"
    paper: ClassVar[str] = "arXiv 2105.01571"
    title: ClassVar[str] = "ProbMask"
    colour: ClassVar[str] = "#CC79A7"
    marker: ClassVar[str] = "v"
    per_sparsity: ClassVar[bool] = True
    examples: ClassVar[Examples] = "training"
    seeded: ClassVar[bool] = True
    figures: ClassVar[tuple[str, ...]] = ("probabilities",)

    checkpoint: Annotated[
        str,
        Field(
            description="A file in an existing folder, written after every epoch, from which the "
            "training is resumed; empty for none."
        ),
    ] = ""

    def run(
        self, model: nn.Module, inputs: Tensor | None = None, targets: Tensor | None = None
    ) -> Result:
        """Train on ``inputs`` ``(n, *input shape)`` and ``targets`` ``(n,)``; see the class.

        Scores are float64: s where ``final`` is "topk", (best draw + s)/2 where it is "draws",
        equal s ranked by |w|. The report is that of `graphprune.probmask.final.finish`.
        """
        return self.run_after(None, model, inputs, targets)

    def run_after(
        self,
        looser: Result | None,
        model: nn.Module,
        inputs: Tensor | None = None,
        targets: Tensor | None = None,
    ) -> Result:
        """As `run`, starting from the probabilities and weights of a result at a looser sparsity.

        >>> loose = ProbMask(sparsity=0.8).run(model, images, labels)
        >>> tight = ProbMask(sparsity=0.9).run_after(loose, model, images, labels)
        """
        from graphprune.probmask.final import finish
        from graphprune.probmask.state import Start
        from graphprune.probmask.trainer import train

        if inputs is None or targets is None:
            raise UserError("probmask trains on examples; expected inputs and targets")
        if self.checkpoint:
            _check_place(Path(self.checkpoint))
        start = None if looser is None else looser.onward
        if start is not None and not isinstance(start, Start):
            raise UserError("probmask can only go on from a result of probmask")
        trained = train(model, inputs, targets, self, self.checkpoint or None, _log, start)
        final = finish(trained, inputs, targets)
        return Result(final.scores, final.weights, final.report, trained.onward())

    def chained(self) -> bool:
        return self.continued

    def epochs_needed(self, examples: int | None = None, runs: int = 1) -> float | None:
        if self.epochs is None and examples is None:
            return None
        first, later = (self.length(examples or 0, goes_on) for goes_on in (False, True))
        return first + (runs - 1) * (later if self.continued else first)

    def passes_an_epoch(self) -> float:
        return self.draws


def _check_place(checkpoint: Path) -> None:
    """UserError for a file that could not be written after the first epoch."""
    try:
        reason = "it is a folder" if checkpoint.is_dir() else ""
        beside = checkpoint.with_name(f".{os.getpid()}.{checkpoint.name}")
        beside.touch()
        beside.unlink()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    if reason:
        raise UserError(
            f"checkpoint is {shown(str(checkpoint))}; expected a file that can be written, in an "
            f"existing folder ({reason})"
        )


def _log(row: dict[str, float]) -> None:
    logger.info(
        "epoch %d: loss %.4f, accuracy %.4f, density %.4f, temperature %.3f, %.1f s",
        *(row[key] for key in ("epoch", "loss", "accuracy_train", "density", "temperature")),
        row["seconds"],
    )
