"""From keep probabilities to the final mask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from graphprune.masks import Masks, prune
from graphprune.probmask import relaxation

if TYPE_CHECKING:
    from torch import Tensor

    from graphprune.probmask.binding import Binding
    from graphprune.probmask.trainer import Trained

BATCH = 500
BINS = 10
# below the spacing of distinct float32 probabilities that matter, above float64 rounding
TIE = 1e-9

BatchNorm = nn.modules.batchnorm._BatchNorm


@dataclass(frozen=True, eq=False)
class Final:
    """A final mask and the network that goes with it.

    scores: float64 by parameter name; `prune(scores, sparsity)` gives ``masks``.
    masks: boolean, keeping exactly round((1 − sparsity)·N) weights.
    weights: the network's whole state dict: trained weights, unmasked; batch-norm statistics of
        the masked network.
    report: see `finish`.
    """

    scores: dict[str, Tensor]
    masks: Masks
    weights: dict[str, Tensor]
    report: dict[str, float]


@torch.no_grad()
def finish(trained: Trained, inputs: Tensor, targets: Tensor) -> Final:
    """Choose the final mask on training examples and recalibrate batch norm under it.

    Two candidates are measured, both at exactly the wanted sparsity. *topk*: the weights of
    largest s. *draws*: the best of ``final_draws`` masks ~ Bernoulli(s), where a draw that keeps
    too many loses its weights of smallest s, and one that keeps too few gains those of largest s.
    Equal s are ranked by |w|. ``settings.final`` says which of the two makes the scores: s for
    "topk", (draw + s)/2 for "draws".

    The report: accuracy_topk, accuracy_draws (best), accuracy_draws_mean, all on the examples that
    the candidates are measured on; epochs_trained; loss and accuracy_train of the last epoch;
    entropy_mean (bits); share_undecided (0.01 < s < 0.99); density_expected (Σs/N);
    probability_histogram_0..9, shares of s in tenths of [0, 1].
    """
    settings, s = trained.settings, trained.probabilities.to(torch.float64)
    magnitude = trained.weights.abs().to(torch.float64)
    ranked = s + TIE * magnitude / magnitude.max().clamp(min=1e-300)
    judges = slice(0, settings.final_examples or None)
    judge = _Judge(trained, inputs[judges], targets[judges])

    topk = judge.candidate(ranked)
    generator = torch.Generator(device=s.device).manual_seed(settings.seed)
    drawn = []
    for _ in range(settings.final_draws):
        hard = relaxation.hard(trained.probabilities, generator).to(torch.float64)
        drawn.append(judge.candidate(0.5 * (hard + ranked)))
    best = max(drawn, key=lambda candidate: (candidate.accuracy, -candidate.loss))
    chosen = topk if settings.final == "topk" else best

    _apply(trained, chosen.mask)
    recalibrate(trained.binding.model, inputs)
    trained.binding.weights.copy_(trained.weights)
    return Final(
        scores={n: t.clone() for n, t in trained.binding.named(chosen.scores).items()},
        masks={n: t.clone() for n, t in trained.binding.named(chosen.mask).items()},
        weights={n: t.clone() for n, t in trained.binding.model.state_dict().items()},
        report={
            "accuracy_topk": topk.accuracy,
            "accuracy_draws": best.accuracy,
            "accuracy_draws_mean": sum(c.accuracy for c in drawn) / len(drawn),
            "epochs_trained": float(trained.epochs),
            "loss": trained.history[-1]["loss"],
            "accuracy_train": trained.history[-1]["accuracy_train"],
            **decidedness(trained.probabilities),
        },
    )


def decidedness(probabilities: Tensor) -> dict[str, float]:
    """How far from 0 and 1 the probabilities are: mean entropy in bits, and a histogram.

    >>> decidedness(torch.tensor([0.0, 0.5]))["entropy_mean"]
    0.5
    """
    s = probabilities.to(torch.float64)
    counts = torch.histc(s.cpu(), BINS, 0.0, 1.0) / s.numel()
    return {
        "entropy_mean": float(relaxation.entropy(s).mean()),
        "share_undecided": float(((s > 0.01) & (s < 0.99)).to(torch.float64).mean()),
        "density_expected": float(s.mean()),
        **{f"probability_histogram_{i}": float(count) for i, count in enumerate(counts)},
    }


@dataclass(frozen=True, eq=False)
class _Candidate:
    scores: Tensor
    mask: Tensor
    accuracy: float
    loss: float


class _Judge:
    """Measures masks of one trained network on the same examples."""

    def __init__(self, trained: Trained, inputs: Tensor, targets: Tensor) -> None:
        self.trained, self.inputs, self.targets = trained, inputs, targets

    def candidate(self, scores: Tensor) -> _Candidate:
        mask = prune({"all": scores}, self.trained.settings.sparsity)["all"]
        _apply(self.trained, mask)
        accuracy, loss = _measure(self.trained.binding, self.inputs, self.targets)
        return _Candidate(scores, mask, accuracy, loss)


def _apply(trained: Trained, mask: Tensor) -> None:
    torch.mul(trained.weights, mask, out=trained.binding.weights)


def _measure(binding: Binding, inputs: Tensor, targets: Tensor) -> tuple[float, float]:
    """Accuracy and mean loss; batch norm uses the statistics of each batch, as the mask is new."""
    device = binding.weights.device
    hits = loss = 0.0
    with _batch_statistics(binding.model):
        for x, y in zip(inputs.split(BATCH), targets.split(BATCH), strict=True):
            outputs, labels = binding.model(x.to(device)), y.to(device)
            hits += float((outputs.argmax(1) == labels).sum())
            loss += float(functional.cross_entropy(outputs, labels, reduction="sum"))
    return hits / len(targets), loss / len(targets)


@contextmanager
def _batch_statistics(model: nn.Module) -> Iterator[list[BatchNorm]]:
    """The model in evaluation mode, except batch norms: they use and record batch statistics."""
    norms = [module for module in model.modules() if isinstance(module, BatchNorm)]
    model.eval()
    for norm in norms:
        norm.train()
    try:
        yield norms
    finally:
        model.eval()


@torch.no_grad()
def recalibrate(model: nn.Module, inputs: Tensor) -> None:
    """Set every batch norm's running statistics to the means over ``inputs``, in place."""
    device = next(model.parameters()).device
    with _batch_statistics(model) as norms:
        tracking = [norm for norm in norms if norm.track_running_stats]
        if not tracking:
            return
        momenta = [norm.momentum for norm in tracking]
        for norm in tracking:
            norm.reset_running_stats()
            # for torch, None means a plain average over the batches
            norm.momentum = None
        for x in inputs.split(BATCH):
            model(x.to(device))
        for norm, momentum in zip(tracking, momenta, strict=True):
            norm.momentum = momentum
