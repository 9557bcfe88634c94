"""The passes of a training step: from a batch to gradients, and to the optimizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn
from torch.nn import functional

from graphprune.errors import UserError
from graphprune.training.attack import Attack
from graphprune.training.optimizers import SGD, Adam, Optimizer, spared_of_decay
from graphprune.training.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from graphprune.data.base import Scaling

_HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class Passes:
    """What a step of a training does, up to the masks.

    Nothing here waits for a GPU, but for float16: its scaler looks whether a gradient overflowed.

    scaling: how pixels became the images; for adversarial training.
    """

    def __init__(self, model: nn.Module, settings: Settings, scaling: Scaling | None) -> None:
        self.model, self.settings = model, settings
        self.device = next(model.parameters()).device
        self.optimizer = _optimizer(model, settings)
        self.scaler: torch.amp.GradScaler | None = None
        if settings.precision == "float16":
            self.scaler = torch.amp.GradScaler(self.device.type)
        self._network: Callable[[Tensor], Tensor] = model
        if settings.compile:
            self._network = _compiled(model)
        self._attack = None
        if settings.adversarial is not None:
            self._attack = Attack(settings.adversarial, scaling, self.device)

    def step(self, images: Tensor, labels: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        """One step on a batch: its mean loss and its correct answers, both on the device."""
        self.optimizer.zero_grad()
        parts = min(self.settings.accumulate, len(labels))
        if parts == 1:
            loss, hits = self._part(images, labels, 1.0)
        else:
            found = [
                self._part(part, some, len(some) / len(labels))
                for part, some in zip(
                    images.tensor_split(parts), labels.tensor_split(parts), strict=True
                )
            ]
            loss, hits = (sum(each[1:], each[0]) for each in zip(*found, strict=True))
        self._update(rate)
        return loss, hits

    def tensors(self) -> dict[str, Tensor]:
        """The state of the optimizer."""
        return self.optimizer.state()

    def numbers(self) -> dict[str, Any]:
        """What of the passes is no tensor: the scale of float16's losses."""
        return self.scaler.state_dict() if self.scaler is not None else {}

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Take up what `tensors` and `numbers` gave."""
        self.optimizer.restore(tensors)
        if self.scaler is not None:
            self.scaler.load_state_dict(dict(numbers))

    def _part(self, images: Tensor, labels: Tensor, share: float) -> tuple[Tensor, Tensor]:
        if self._attack is not None:
            images = self._attack(self.model, self._forward, images, labels)
        with self._precision():
            logits = self._network(images)
            loss = functional.cross_entropy(
                logits, labels, label_smoothing=self.settings.label_smoothing
            )
        if share != 1.0:
            loss = loss * share
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()
        return loss.detach(), (logits.detach().argmax(1) == labels).sum()

    def _forward(self, images: Tensor) -> Tensor:
        with self._precision():
            return self._network(images)

    def _precision(self) -> AbstractContextManager[object]:
        if self.settings.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, _HALF[self.settings.precision])

    def _update(self, rate: float) -> None:
        if self.scaler is None:
            self._clip()
            self.optimizer.step(rate)
            return
        # the scaler asks for no more of an optimizer than what ours has
        optimizer = cast("torch.optim.Optimizer", self.optimizer)
        self.scaler.unscale_(optimizer)
        self._clip()
        # leaves the step out where a gradient overflowed
        self.scaler.step(optimizer, rate)
        self.scaler.update()

    def _clip(self) -> None:
        if self.settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.optimizer.parameters, self.settings.clip_norm)


def _optimizer(model: nn.Module, settings: Settings) -> Optimizer:
    spared = () if settings.decay_norms_and_biases else spared_of_decay(model)
    decay = settings.weight_decay
    if settings.optimizer == "adam":
        return Adam(model.parameters(), decay, without_decay=spared)
    return SGD(
        model.parameters(),
        settings.momentum,
        decay,
        nesterov=settings.nesterov,
        without_decay=spared,
    )


def _compiled(model: nn.Module) -> Callable[[Tensor], Tensor]:
    """``model`` as torch compiles it at its first pass, sharing its weights and its mode."""
    compiled = torch.compile(model)
    from torch._dynamo.exc import TorchDynamoException

    def network(images: Tensor) -> Tensor:
        try:
            return cast("Tensor", compiled(images))
        except TorchDynamoException as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(
                f"compile is true, but torch cannot compile {type(model).__name__}: {reason}; "
                "allowed: a network that it can, and a C++ compiler on this machine"
            ) from error

    return network
