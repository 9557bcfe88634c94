"""ProbMask's hyperparameters."""

from __future__ import annotations

import math
from dataclasses import dataclass

from graphprune.errors import UserError, one_of

# the short budget: 5 s a target on a few thousand small images, one thread
SHORT_STEPS = 600
SHORT_EPOCHS = 10
MODES = ("checkpoint", "scratch", "supermask")
INITIALISATIONS = ("default", "kaiming", "signed_constant")
FINALS = ("topk", "draws")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Settings:
    """Hyperparameters of one ProbMask training. Optimizers and schedules are the paper's.

    The defaults are the short budget for small data; `PAPER` holds what the paper sets otherwise.

    sparsity: share of the prunable weights to remove, 0 ≤ sparsity < 1; ρ = 1 − sparsity.
    epochs: length of the training; None for the short budget, as many as make 600 steps and at
        least 10.
    continued: where several ratios are wanted, whether the run for each but the loosest goes on
        from the next looser one's probabilities and weights; ρ then falls from the looser one's.
    epochs_continued: length of a training that goes on; None for half of ``epochs``, rounded up.
    batch_size: examples a step; the last batch of an epoch may be smaller.
    draws: K, relaxed masks a step whose gradients are averaged. While the budget still keeps
        every weight all masks are 1, and one pass does for all K.
    learning_rate_probabilities: of Adam on s, cosine to zero.
    learning_rate_weights, momentum, weight_decay: of SGD on the weights, cosine to zero.
    clip: largest joint norm of the gradients of s and of the weights.
    temperature_first, temperature_last: τ, linear over the training.
    ramp_start, ramp_end: shares of the training between which ρ falls from 1 to its target.
    mode: "checkpoint" trains on from the given weights; "scratch" starts them anew;
        "supermask" starts them anew, freezes them and learns s alone.
    initialisation: of new weights: "default", each layer's own ``reset_parameters``; "kaiming",
        normal with variance 2/fan-in; "signed_constant", ±√(2/fan-in).
    final: how the final mask is chosen: "topk", the largest s; "draws", the best of
        ``final_draws`` hard draws on the training examples, made up to the exact number.
    final_draws: hard masks drawn at the end.
    final_examples: at most this many training examples (the first ones) judge the draws;
        0 for all of them.
    precision: of the network's passes, "float32" or "bfloat16" (torch's autocast); weights,
        probabilities, masks and optimizers are float32 in both.
    seed: of new weights, the order of the examples and the masks.
    """

    sparsity: float = 0.9
    epochs: int | None = None
    continued: bool = False
    epochs_continued: int | None = None
    batch_size: int = 64
    draws: int = 2
    learning_rate_probabilities: float = 0.1
    learning_rate_weights: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    clip: float = 3.0
    temperature_first: float = 1.0
    temperature_last: float = 0.03
    ramp_start: float = 0.16
    ramp_end: float = 0.6
    mode: str = "checkpoint"
    initialisation: str = "default"
    final: str = "topk"
    final_draws: int = 10
    final_examples: int = 2000
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, allowed in (
            ("mode", MODES),
            ("initialisation", INITIALISATIONS),
            ("final", FINALS),
            ("precision", PRECISIONS),
        ):
            if getattr(self, name) not in allowed:
                raise one_of(name, getattr(self, name), allowed)
        for name in ("epochs", "epochs_continued"):
            if getattr(self, name) is not None:
                _require(name, getattr(self, name), getattr(self, name) >= 1, ">= 1")
        for name in ("batch_size", "draws", "final_draws"):
            _require(name, getattr(self, name), getattr(self, name) >= 1, ">= 1")
        for name in (
            "learning_rate_probabilities",
            "learning_rate_weights",
            "clip",
            "temperature_first",
            "temperature_last",
        ):
            _require(name, getattr(self, name), getattr(self, name) > 0, "> 0")
        for name in ("momentum", "weight_decay", "final_examples"):
            _require(name, getattr(self, name), getattr(self, name) >= 0, ">= 0")
        _require("sparsity", self.sparsity, 0.0 <= self.sparsity < 1.0, "0 <= sparsity < 1")
        _require(
            "ramp_start, ramp_end",
            (self.ramp_start, self.ramp_end),
            0.0 <= self.ramp_start <= self.ramp_end <= 1.0,
            "0 <= ramp_start <= ramp_end <= 1",
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


def _require(name: str, value: object, holds: bool, allowed: str) -> None:
    if not holds:
        raise UserError(f"{name} is {value}; allowed: {allowed}")


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
