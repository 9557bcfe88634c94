"""ProbMask's hyperparameters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from graphprune.errors import UserError
from graphprune.options import check_fields

# the short budget: 5 s a target on a few thousand small images, one thread
SHORT_STEPS = 600
SHORT_EPOCHS = 10

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=2**31)]
Epochs = Annotated[int, Field(ge=1, le=1_000_000)]


@dataclass(frozen=True)
class Settings:
    """Hyperparameters of one ProbMask training. Optimizers and schedules are the paper's.

    The defaults are the short budget for small data; `PAPER` holds what the paper sets otherwise.
    """

    sparsity: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="Share of the prunable weights to remove; the budget is ρ = 1 − sparsity.",
        ),
    ] = 0.9
    epochs: Annotated[
        Epochs | None,
        Field(
            description="Length of the training; null for the short budget, as many as make 600 "
            "steps and at least 10.",
        ),
    ] = None
    continued: Annotated[
        bool,
        Field(
            description="Where several ratios are wanted: whether the run for each but the loosest "
            "starts from the probabilities and weights of the next looser one. Its ρ then falls "
            "from that one's."
        ),
    ] = False
    epochs_continued: Annotated[
        Epochs | None,
        Field(
            description="Length of a training that starts from a looser one; null for half of "
            "`epochs`, rounded up.",
        ),
    ] = None
    batch_size: Annotated[
        Count, Field(description="Examples a step; the last batch of an epoch may be smaller.")
    ] = 64
    draws: Annotated[
        Count,
        Field(
            description="K, relaxed masks a step whose gradients are averaged. While the budget "
            "still keeps every weight all masks are 1, and one pass does for all K."
        ),
    ] = 2
    learning_rate_probabilities: Annotated[
        Positive, Field(description="Learning rate of Adam on s, cosine to zero.")
    ] = 0.1
    learning_rate_weights: Annotated[
        Positive, Field(description="Learning rate of SGD on the weights, cosine to zero.")
    ] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1, description="Momentum of SGD.")] = 0.9
    weight_decay: Annotated[float, Field(ge=0, description="L2 penalty on the weights.")] = 5e-4
    clip: Annotated[
        Positive, Field(description="Largest joint norm of the gradients of s and of the weights.")
    ] = 3.0
    temperature_first: Annotated[
        Positive, Field(description="Temperature τ at the start; it changes linearly.")
    ] = 1.0
    temperature_last: Annotated[Positive, Field(description="Temperature τ at the end.")] = 0.03
    ramp_start: Annotated[
        Share, Field(description="Share of the training after which ρ begins to fall from 1.")
    ] = 0.16
    ramp_end: Annotated[
        Share, Field(description="Share of the training after which ρ has its target.")
    ] = 0.6
    mode: Annotated[
        Literal["checkpoint", "scratch", "supermask"],
        Field(
            description="checkpoint trains on from the given weights; scratch starts them anew; "
            "supermask starts them anew, freezes them and learns s alone."
        ),
    ] = "checkpoint"
    initialisation: Annotated[
        Literal["default", "kaiming", "signed_constant"],
        Field(
            description="New weights: default, each layer's own `reset_parameters`; kaiming, "
            "normal with variance 2/fan-in; signed_constant, ±√(2/fan-in)."
        ),
    ] = "default"
    final: Annotated[
        Literal["topk", "draws"],
        Field(
            description="The final mask: topk, the largest s; draws, the best of `final_draws` "
            "hard draws on the training examples, made up to the exact number."
        ),
    ] = "topk"
    final_draws: Annotated[Count, Field(description="Hard masks drawn at the end.")] = 10
    final_examples: Annotated[
        int,
        Field(
            ge=0,
            le=2**31,
            description="At most this many training examples (the first ones) judge the draws; 0 "
            "for all of them.",
        ),
    ] = 2000
    precision: Annotated[
        Literal["float32", "bfloat16"],
        Field(
            description="Of the network's passes (bfloat16: torch's autocast); weights, "
            "probabilities, masks and optimizers are float32 in both."
        ),
    ] = "float32"
    seed: Annotated[
        int,
        Field(ge=0, lt=2**32, description="Of new weights, the order of the examples, the masks."),
    ] = 0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.ramp_start > self.ramp_end:
            raise UserError(
                f"ramp_start is {self.ramp_start}, ramp_end {self.ramp_end}; "
                "allowed: ramp_start <= ramp_end"
            )

    @property
    def keep(self) -> float:
        """ρ, the share of the weights that stays."""
        return 1.0 - self.sparsity

    def length(self, examples: int, goes_on: bool = False) -> int:
        """Epochs of a training on that many examples, from its start or going on from another."""
        whole = self.epochs
        if whole is None:
            steps = math.ceil(examples / self.batch_size)
            whole = max(SHORT_EPOCHS, math.ceil(SHORT_STEPS / steps))
        if not goes_on:
            return whole
        return math.ceil(whole / 2) if self.epochs_continued is None else self.epochs_continued


# where the paper's CIFAR experiments differ from the short budget
PAPER: dict[str, object] = {
    "mode": "scratch",
    "initialisation": "kaiming",
    "epochs": 300,
    "batch_size": 256,
    "learning_rate_probabilities": 6e-3,
    "final": "draws",
    "final_examples": 0,
}
