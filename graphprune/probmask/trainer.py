"""The training of keep probabilities and weights at once, under one falling budget."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from graphprune.data import Split, feeding
from graphprune.errors import UserError
from graphprune.masks import prunable
from graphprune.probmask import schedule, state
from graphprune.probmask.binding import Binding
from graphprune.probmask.initialisation import initialise
from graphprune.probmask.passes import Passes
from graphprune.probmask.projection import check_kept, project_
from graphprune.probmask.settings import Settings
from graphprune.probmask.state import Start
from graphprune.randomness import generator_states, restore_generators, seeded
from graphprune.training.optimizers import SGD, Adam

if TYPE_CHECKING:
    from torch import Tensor

Row = dict[str, float]


@dataclass(frozen=True, eq=False)
class Trained:
    """The result of a training.

    binding: the trained copy of the network, its prunable weights laid out as one vector.
    weights, probabilities: ``(N,)`` in the binding's order; the weights without a mask.
    history: one row an epoch: epoch (from 1), loss, accuracy_train, keep_rate, density (Σs/N),
        temperature, learning rates, seconds.
    epochs: trained in all, in this training and in those that it started from.
    """

    binding: Binding
    weights: Tensor
    probabilities: Tensor
    settings: Settings
    history: list[Row]
    epochs: int

    def onward(self) -> Start:
        """A copy of the state from which a training at a higher sparsity may start."""
        network = {name: tensor.clone() for name, tensor in self.binding.model.state_dict().items()}
        network.update(
            {name: tensor.clone() for name, tensor in self.binding.named(self.weights).items()}
        )
        named = self.binding.named(self.probabilities)
        probabilities = {name: tensor.clone() for name, tensor in named.items()}
        return Start(network, probabilities, self.settings.keep, self.epochs)


def train(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    settings: Settings,
    checkpoint: str | Path | None = None,
    on_epoch: Callable[[Row], None] | None = None,
    start: Start | None = None,
) -> Trained:
    """Train keep probabilities s and weights w of a copy of ``model``; the model stays as it is.

    Each step draws K relaxed masks m, averages the gradients of the cross-entropy of the network
    with weights w·m, lets Adam move s and SGD move w, and projects s onto Σs ≤ ρN. s starts at 1
    and ρ falls from 1. With ``start``, s, ρ and the weights begin where that training ended.

    Parameters
    ----------
    model : maps ``(n, *input shape)`` to logits ``(n, classes)``.
    inputs, targets : training examples, float ``(n, *input shape)`` and int64 ``(n,)``; moved to
        the model's device batch by batch.
    checkpoint : a file written after every epoch. If it exists, the training resumes from it and
        ends with the same probabilities as one that was never interrupted.
    on_epoch : called with each row of the history as it is made.
    start : `Trained.onward` of a training of the same network at a lower sparsity.

    Raises
    ------
    UserError : the budget is below one weight; the loss is not
        finite (names the step and the setting to change); ``start`` has a higher sparsity or is of
        another network.
    ForeignCheckpointError : the checkpoint is of another training; a UserError.

    >>> loose = train(model, images, labels, Settings(sparsity=0.8))
    >>> tight = train(model, images, labels, Settings(sparsity=0.9), start=loose.onward())
    """
    check_budget(model, settings)
    device = next(model.parameters()).device
    epochs = settings.length(len(targets), goes_on=start is not None)
    with seeded(settings.seed, device):
        trainer = _Trainer(model, settings, epochs, start)
        identity: dict[str, Any] = {}
        if checkpoint is not None:
            examples = (inputs, targets)
            identity = state.identity(settings, model, trainer.binding, examples, start)
            if Path(checkpoint).exists():
                trainer.load(checkpoint, identity)
        while trainer.epoch < trainer.epochs:
            row = trainer.run_epoch(inputs, targets)
            if checkpoint is not None:
                trainer.save(checkpoint, identity)
            if on_epoch is not None:
                on_epoch(row)
    trainer.binding.weights.copy_(trainer.weights)
    before = start.epochs if start is not None else 0
    return Trained(
        trainer.binding,
        trainer.weights,
        trainer.probabilities,
        settings,
        trainer.history,
        before + trainer.epoch,
    )


def check_budget(model: nn.Module, settings: Settings) -> None:
    """Raise UserError for a budget below one weight."""
    total = sum(weight.numel() for weight in prunable(model).values())
    if settings.keep * total < 1.0 - 1e-9:
        raise UserError(
            f"sparsity {settings.sparsity} keeps {settings.keep * total:.3g} of {total} weights; "
            f"allowed: at least 1 weight, sparsity <= {1 - 1 / total:.6g}"
        )


class _Trainer:
    """A training: its state between two epochs, which a checkpoint holds, and its step."""

    def __init__(
        self, model: nn.Module, settings: Settings, epochs: int, start: Start | None = None
    ) -> None:
        self.settings, self.epochs = settings, epochs
        network = copy.deepcopy(model)
        if start is None and settings.mode != "checkpoint":
            initialise(network, settings.initialisation)
        self.binding = Binding(network)
        self.probabilities = torch.ones_like(self.binding.weights)
        # ρ at the first step
        self.initial = 1.0
        if start is not None:
            self._begin(start)
        self.weights = self.binding.weights.clone()
        self.frozen = settings.mode == "supermask"
        if self.frozen:
            for parameter in self.binding.others:
                parameter.requires_grad_(False)
        self.adam = Adam([self.probabilities], fused=True)
        self.sgd = SGD(
            [self.weights, *self.binding.others],
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.passes = Passes(self.weights, settings.seed)
        # gradients are computed in closed form and handed to the optimizers
        self.weights.grad = torch.zeros_like(self.weights)
        self.probabilities.grad = torch.zeros_like(self.weights)
        self.mask = torch.empty_like(self.weights)
        self.shift = 0.0
        self.epoch = 0
        self.history: list[Row] = []

    def _begin(self, start: Start) -> None:
        if self.settings.keep > start.keep:
            raise UserError(
                f"sparsity is {self.settings.sparsity}, of the training it goes on from "
                f"{1 - start.keep:g}; allowed: at least that"
            )
        shapes = {n: t.shape for n, t in self.binding.model.state_dict().items()}
        if shapes != {n: t.shape for n, t in start.network.items()}:
            raise UserError("the training to go on from is of another network")
        self.binding.model.load_state_dict(start.network)
        for target, s in zip(
            self.binding.split(self.probabilities), start.probabilities.values(), strict=True
        ):
            target.copy_(s)
        self.initial = start.keep

    def run_epoch(self, inputs: Tensor, targets: Tensor) -> Row:
        start = time.perf_counter()
        device = self.weights.device
        batches = list(_batches(len(targets), self.settings.batch_size))
        loss_sum = correct = 0.0
        self.binding.model.train()
        fed = feeding.batches(Split(inputs, targets), batches, device)
        for index, (images, labels) in enumerate(fed):
            done = (self.epoch + index / len(batches)) / self.epochs
            loss, hits = self.step(images, labels, done)
            if not math.isfinite(loss):
                raise UserError(
                    f"loss is {loss} in epoch {self.epoch + 1}, step {index + 1}; lower "
                    f"learning_rate_weights (now {self.settings.learning_rate_weights}) or "
                    f"clip (now {self.settings.clip})"
                )
            loss_sum += loss * len(labels)
            correct += hits
        self.epoch += 1
        budget = self._settings_at(done)["keep_rate"] * self.binding.count
        total = check_kept(self.probabilities, budget, f"epoch {self.epoch}")
        row: Row = {
            "epoch": self.epoch,
            "loss": loss_sum / len(targets),
            "accuracy_train": correct / len(targets),
            **self._settings_at(done),
            "density": total / self.binding.count,
            "seconds": time.perf_counter() - start,
        }
        self.history.append(row)
        return row

    def _settings_at(self, done: float) -> Row:
        s = self.settings
        return {
            "keep_rate": schedule.keep_rate(done, s.keep, s.ramp_start, s.ramp_end, self.initial),
            "temperature": schedule.temperature(done, s.temperature_first, s.temperature_last),
            "learning_rate_probabilities": s.learning_rate_probabilities * schedule.cosine(done),
            "learning_rate_weights": s.learning_rate_weights * schedule.cosine(done),
        }

    def step(self, inputs: Tensor, targets: Tensor, done: float) -> tuple[float, float]:
        """One step at the share ``done`` of the training: mean loss, and hits of the K draws."""
        now = self._settings_at(done)
        # no weight has left the budget yet: every mask is 1 and s has no gradient
        dense = self.shift == 0.0 and now["keep_rate"] >= 1.0
        loss, hits = self._gradients(inputs, targets, now["temperature"], dense)
        if not math.isfinite(loss):
            return loss, hits
        self._clip()
        if not self.frozen:
            self.sgd.step(now["learning_rate_weights"])
        if not dense or now["keep_rate"] < 1.0:
            self.adam.step(now["learning_rate_probabilities"])
            budget = now["keep_rate"] * self.binding.count
            self.shift = max(project_(self.probabilities, budget, self.shift), 1e-12)
        return loss, hits

    def _gradients(
        self, inputs: Tensor, targets: Tensor, temperature: float, dense: bool
    ) -> tuple[float, float]:
        """Gradients of the mean loss over the draws, left in ``.grad``; mean loss and hits."""
        binding = self.binding
        for_weights, for_probabilities = self.weights.grad, self.probabilities.grad
        assert for_weights is not None
        assert for_probabilities is not None
        for_weights.zero_()
        for_probabilities.zero_()
        for parameter in binding.others:
            parameter.grad = None
        if dense:
            binding.weights.copy_(self.weights)
            loss, hits = self._pass(inputs, targets, 1)
            for_weights.copy_(binding.gradient)
            binding.gradient.zero_()
            return loss, hits
        draws = self.settings.draws
        loss_sum = hits_sum = 0.0
        for _ in range(draws):
            self.passes.draw(
                self.probabilities, self.weights, temperature, self.mask, binding.weights
            )
            loss, hits = self._pass(inputs, targets, draws)
            self.passes.gather(
                binding.gradient, self.mask, self.weights, for_weights, for_probabilities
            )
            loss_sum += loss
            hits_sum += hits
        self.passes.close(for_probabilities, self.probabilities, temperature)
        return loss_sum, hits_sum

    def _pass(self, inputs: Tensor, targets: Tensor, draws: int) -> tuple[float, float]:
        """Forward and backward under the mask in the network: loss and hits over ``draws``."""
        half = self.settings.precision == "bfloat16"
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=half):
            outputs = self.binding.model(inputs)
            loss = functional.cross_entropy(outputs, targets) / draws
        loss.backward()
        hits = (outputs.detach().argmax(1) == targets).sum()
        return float(loss.detach()), float(hits) / draws

    def _clip(self) -> None:
        gradients = [self.probabilities.grad]
        if not self.frozen:
            gradients += [self.weights.grad, *(p.grad for p in self.binding.others)]
        present = [gradient for gradient in gradients if gradient is not None]
        norm = float(torch.stack(torch._foreach_norm(present)).norm())
        if norm > self.settings.clip:
            torch._foreach_mul_(present, self.settings.clip / norm)

    def _tensors(self) -> dict[str, Tensor]:
        network = self.binding.model.state_dict()
        return {
            "weights": self.weights,
            "probabilities": self.probabilities,
            **{f"network.{name}": tensor for name, tensor in network.items()},
            **state.of_optimizers(self.sgd, self.adam),
            **generator_states(self.weights.device),
        }

    def save(self, path: str | Path, identity: dict[str, Any]) -> None:
        written = {
            "epoch": self.epoch,
            "shift": self.shift,
            "drawn": self.passes.drawn,
            "history": self.history,
            "training": identity,
        }
        state.write(path, self._tensors(), written)

    def load(self, path: str | Path, identity: dict[str, Any]) -> None:
        tensors, written = state.read(path, identity)
        self.weights.copy_(tensors["weights"])
        self.probabilities.copy_(tensors["probabilities"])
        prefix = "network."
        self.binding.model.load_state_dict(
            {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
        )
        state.into_optimizers(self.sgd, self.adam, tensors)
        restore_generators(self.weights.device, tensors)
        self.epoch, self.shift, self.history = (
            written["epoch"],
            written["shift"],
            written["history"],
        )
        self.passes.drawn = written["drawn"]


def _batches(count: int, size: int) -> Iterator[Tensor]:
    batches = list(torch.randperm(count).split(size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        # batch norm cannot train on a single example
        batches[-2:] = [torch.cat(batches[-2:])]
    yield from batches
