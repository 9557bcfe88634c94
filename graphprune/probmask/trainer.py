"""The training of keep probabilities and weights at once, under one falling budget."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from graphprune.errors import UserError
from graphprune.masks import prunable
from graphprune.probmask import relaxation, schedule, state
from graphprune.probmask.binding import Binding
from graphprune.probmask.initialisation import initialise
from graphprune.probmask.projection import project_
from graphprune.probmask.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

Row = dict[str, float]


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training found.

    binding: the trained copy of the network, its prunable weights laid out as one vector.
    weights, probabilities: ``(N,)`` in the binding's order; the weights without a mask.
    history: one row an epoch: epoch (from 1), loss, accuracy_train, keep_rate, density (Σs/N),
        temperature, learning rates, seconds.
    """

    binding: Binding
    weights: Tensor
    probabilities: Tensor
    settings: Settings
    history: list[Row]


def train(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    settings: Settings,
    checkpoint: str | Path | None = None,
    on_epoch: Callable[[Row], None] | None = None,
) -> Trained:
    """Train keep probabilities s and weights w of a copy of ``model``; the model stays as it is.

    Each step draws K relaxed masks m, averages the gradients of the cross-entropy of the network
    with weights w·m, lets Adam move s and SGD move w, and projects s onto Σs ≤ ρN.

    Parameters
    ----------
    model : maps ``(n, *input shape)`` to logits ``(n, classes)``.
    inputs, targets : training examples, float ``(n, *input shape)`` and int64 ``(n,)``; moved to
        the model's device batch by batch.
    checkpoint : a file written after every epoch; where it exists the training goes on from it,
        and ends with the same probabilities as one that was never interrupted.
    on_epoch : called with each row of the history as it is made.

    Raises
    ------
    UserError : the budget is below one weight; examples and targets do not fit; the loss is not
        finite (names the step and the setting to change); the checkpoint is of another training.
    """
    check(model, inputs, targets, settings)
    device = next(model.parameters()).device
    with _own_randomness(device, settings.seed):
        trainer = _Trainer(model, settings, settings.length(len(targets)))
        if checkpoint is not None and Path(checkpoint).exists():
            trainer.load(checkpoint, inputs, targets)
        while trainer.epoch < trainer.epochs:
            row = trainer.run_epoch(inputs, targets)
            if checkpoint is not None:
                trainer.save(checkpoint, inputs, targets)
            if on_epoch is not None:
                on_epoch(row)
    trainer.binding.weights.copy_(trainer.weights)
    return Trained(
        trainer.binding, trainer.weights, trainer.probabilities, settings, trainer.history
    )


def check(model: nn.Module, inputs: Tensor, targets: Tensor, settings: Settings) -> None:
    """Raise UserError for examples, targets or a budget no training could use."""
    if inputs.ndim < 2 or targets.ndim != 1 or len(inputs) != len(targets) or not len(targets):
        raise UserError(
            f"inputs have shape {tuple(inputs.shape)}, targets {tuple(targets.shape)}; "
            "expected (n, *input shape) and (n,) with n >= 1"
        )
    if targets.dtype != torch.int64:
        raise UserError(f"targets have dtype {targets.dtype}; expected int64 class labels")
    total = sum(weight.numel() for weight in prunable(model).values())
    if settings.keep * total < 1.0 - 1e-9:
        raise UserError(
            f"sparsity {settings.sparsity} keeps {settings.keep * total:.3g} of {total} weights; "
            f"allowed: at least 1 weight, sparsity <= {1 - 1 / total:.6g}"
        )


@contextmanager
def _own_randomness(device: torch.device, seed: int) -> Iterator[None]:
    """Torch's generators seeded inside the block and as they were after it."""
    cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        torch.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


class _Trainer:
    """A training between two epochs: all that a checkpoint holds, and the step."""

    def __init__(self, model: nn.Module, settings: Settings, epochs: int) -> None:
        self.settings, self.epochs = settings, epochs
        network = copy.deepcopy(model)
        if settings.mode != "checkpoint":
            initialise(network, settings.initialisation)
        self.binding = Binding(network)
        self.weights = self.binding.weights.clone()
        self.probabilities = torch.ones_like(self.weights)
        self.frozen = settings.mode == "supermask"
        if self.frozen:
            for parameter in self.binding.others:
                parameter.requires_grad_(False)
        self.adam = torch.optim.Adam(
            [self.probabilities], lr=settings.learning_rate_probabilities, fused=True
        )
        self.sgd = torch.optim.SGD(
            [self.weights, *self.binding.others],
            lr=settings.learning_rate_weights,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        # gradients are computed in closed form and handed to the optimizers
        self.weights.grad = torch.zeros_like(self.weights)
        self.probabilities.grad = torch.zeros_like(self.weights)
        self.mask = torch.empty_like(self.weights)
        self.shift = 0.0
        self.epoch = 0
        self.history: list[Row] = []

    def run_epoch(self, inputs: Tensor, targets: Tensor) -> Row:
        start = time.perf_counter()
        device = self.weights.device
        batches = list(_batches(len(targets), self.settings.batch_size))
        loss_sum = correct = 0.0
        self.binding.model.train()
        for index, chosen in enumerate(batches):
            done = (self.epoch + index / len(batches)) / self.epochs
            loss, hits = self.step(inputs[chosen].to(device), targets[chosen].to(device), done)
            if not math.isfinite(loss):
                raise UserError(
                    f"loss is {loss} in epoch {self.epoch + 1}, step {index + 1}; lower "
                    f"learning_rate_weights (now {self.settings.learning_rate_weights}) or "
                    f"clip (now {self.settings.clip})"
                )
            loss_sum += loss * len(chosen)
            correct += hits
        self.epoch += 1
        row: Row = {
            "epoch": self.epoch,
            "loss": loss_sum / len(targets),
            "accuracy_train": correct / len(targets),
            **self._settings_at(done),
            "density": float(self.probabilities.sum(dtype=torch.float64)) / self.binding.count,
            "seconds": time.perf_counter() - start,
        }
        self.history.append(row)
        return row

    def _settings_at(self, done: float) -> Row:
        s = self.settings
        return {
            "keep_rate": schedule.keep_rate(done, s.keep, s.ramp_start, s.ramp_end),
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
            self.sgd.param_groups[0]["lr"] = now["learning_rate_weights"]
            self.sgd.step()
        if not dense or now["keep_rate"] < 1.0:
            self.adam.param_groups[0]["lr"] = now["learning_rate_probabilities"]
            self.adam.step()
            budget = now["keep_rate"] * self.binding.count
            self.shift = max(project_(self.probabilities, budget, self.shift), 1e-12)
        return loss, hits

    def _gradients(
        self, inputs: Tensor, targets: Tensor, temperature: float, dense: bool
    ) -> tuple[float, float]:
        """Gradients of the mean loss over the draws, left in ``.grad``; mean loss and hits."""
        binding, mask = self.binding, self.mask
        for_weights, for_probabilities = self.weights.grad, self.probabilities.grad
        assert for_weights is not None
        assert for_probabilities is not None
        for_weights.zero_()
        for_probabilities.zero_()
        for parameter in binding.others:
            parameter.grad = None
        draws = 1 if dense else self.settings.draws
        logit = None if dense else relaxation.logits(self.probabilities)
        loss_sum = hits = 0.0
        for _ in range(draws):
            if logit is None:
                mask.fill_(1.0)
            else:
                relaxation.draw(logit, temperature, out=mask)
            torch.mul(self.weights, mask, out=binding.weights)
            binding.gradient.zero_()
            outputs = binding.model(inputs)
            loss = functional.cross_entropy(outputs, targets) / draws
            loss.backward()
            loss_sum += float(loss.detach())
            hits += float((outputs.detach().argmax(1) == targets).sum()) / draws
            for_weights.addcmul_(binding.gradient, mask)
            if logit is not None:
                through = relaxation.through_mask(binding.gradient.mul_(self.weights), mask)
                for_probabilities.add_(through)
        relaxation.through_probability(for_probabilities, self.probabilities, temperature)
        return loss_sum, hits

    def _clip(self) -> None:
        gradients = [self.probabilities.grad]
        if not self.frozen:
            gradients += [self.weights.grad, *(p.grad for p in self.binding.others)]
        present = [gradient for gradient in gradients if gradient is not None]
        norm = torch.stack(torch._foreach_norm(present)).norm()
        if float(norm) > self.settings.clip:
            torch._foreach_mul_(present, self.settings.clip / float(norm))

    def _tensors(self) -> dict[str, Tensor]:
        network = self.binding.model.state_dict()
        return {
            "weights": self.weights,
            "probabilities": self.probabilities,
            **{f"network.{name}": tensor for name, tensor in network.items()},
            **state.of_optimizer("adam", self.adam),
            **state.of_optimizer("sgd", self.sgd),
            **state.of_generators(self.weights.device),
        }

    def save(self, path: str | Path, inputs: Tensor, targets: Tensor) -> None:
        written = {
            "epoch": self.epoch,
            "shift": self.shift,
            "history": self.history,
            "training": state.identity(self.settings, self.binding, inputs, targets),
        }
        state.write(path, self._tensors(), written)

    def load(self, path: str | Path, inputs: Tensor, targets: Tensor) -> None:
        identity = state.identity(self.settings, self.binding, inputs, targets)
        tensors, written = state.read(path, identity)
        self.weights.copy_(tensors["weights"])
        self.probabilities.copy_(tensors["probabilities"])
        prefix = "network."
        self.binding.model.load_state_dict(
            {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
        )
        state.into_optimizer("adam", self.adam, tensors)
        state.into_optimizer("sgd", self.sgd, tensors)
        state.into_generators(self.weights.device, tensors)
        self.epoch, self.shift, self.history = (
            written["epoch"],
            written["shift"],
            written["history"],
        )


def _batches(count: int, size: int) -> Iterator[Tensor]:
    batches = list(torch.randperm(count).split(size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        # batch norm cannot train on a single example
        batches[-2:] = [torch.cat(batches[-2:])]
    yield from batches
