"""Training and fine-tuning: one loop for both, with the masks held where there are any."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, cast

import torch
from torch import nn
from torch.nn import functional

from graphprune.data import feeding
from graphprune.data.augmentation import Augmenter
from graphprune.errors import UserError
from graphprune.masks import apply
from graphprune.randomness import seed_of, seeded
from graphprune.training.evaluation import accuracy
from graphprune.training.optimizers import SGD, Adam, Optimizer
from graphprune.training.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from graphprune.data import Split

Row = dict[str, float]


def train(
    model: nn.Module,
    examples: Split,
    settings: Settings,
    masks: Mapping[str, Tensor] | None = None,
    validation: Split | None = None,
    on_epoch: Callable[[Row], None] | None = None,
) -> list[Row]:
    """Train ``model`` in place by cross-entropy; with ``masks``, pruned weights stay exactly 0.0.

    Parameters
    ----------
    model : maps float32 ``(n, *input shape)`` to logits ``(n, classes)``, on any device.
    examples : images and labels to train on; go to the model's device batch by batch.
    settings : ``seed`` sets the order of the examples, their augmentation and what the network
        draws (dropout).
    masks : boolean, by parameter name; applied before the first step and after every one.
    validation : measured after every epoch where given; never trained on.
    on_epoch : called with each row as it is made.

    Returns
    -------
    One row an epoch: epoch (from 1), learning_rate (of its last step), loss (mean over the
    epoch's examples), accuracy_train (as seen step by step), accuracy_validation, seconds.

    What layers draw by themselves (dropout) follows the settings' seed too, so that a network is
    trained alike alone and after others.

    Raises
    ------
    UserError : the loss is not finite; names the step and the setting to change.
    """
    device = next(model.parameters()).device
    masks = {name: mask.to(device) for name, mask in (masks or {}).items()}
    apply(model, masks)
    optimizer = _optimizer(model, settings)
    augment = _augmenter(examples, settings)
    steps_an_epoch = math.ceil(len(examples.labels) / settings.batch_size)
    generator = torch.Generator().manual_seed(settings.seed)
    rows: list[Row] = []
    with seeded(seed_of(settings.seed, "train", "dropout"), device):
        for epoch in range(settings.epochs):
            start = time.perf_counter()
            model.train()
            loss_sum = correct = 0.0
            batches = _batches(examples, settings.batch_size, generator, device, augment, epoch)
            for step, batch in enumerate(batches):
                rate = learning_rate(settings, epoch, step / steps_an_epoch)
                loss, hits = _step(model, optimizer, rate, *batch)
                apply(model, masks)
                if not math.isfinite(loss):
                    raise UserError(
                        f"loss is {loss} in epoch {epoch + 1}, step {step + 1}; "
                        f"lower learning_rate (now {settings.learning_rate})"
                    )
                loss_sum += loss * len(batch[1])
                correct += hits
            row: Row = {
                "epoch": epoch + 1,
                "learning_rate": rate,
                "loss": loss_sum / len(examples.labels),
                "accuracy_train": correct / len(examples.labels),
            }
            if validation is not None:
                row["accuracy_validation"] = accuracy(model, validation)
            row["seconds"] = time.perf_counter() - start
            rows.append(row)
            if on_epoch is not None:
                on_epoch(row)
    model.eval()
    return rows


def learning_rate(settings: Settings, epoch: int, part: float) -> float:
    """The learning rate after ``epoch`` whole epochs and a share ``part`` of the next."""
    done = (epoch + part) / settings.epochs
    if settings.schedule == "cosine":
        return settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))
    if settings.schedule == "step":
        return settings.learning_rate * 0.1 ** ((done >= 0.5) + (done >= 0.75))
    return settings.learning_rate


def _optimizer(model: nn.Module, settings: Settings) -> Optimizer:
    if settings.optimizer == "adam":
        return Adam(model.parameters(), settings.weight_decay)
    return SGD(model.parameters(), settings.momentum, settings.weight_decay)


def _augmenter(examples: Split, settings: Settings) -> Augmenter | None:
    if settings.augmentation == "none":
        return None
    return Augmenter(settings.augmentation, settings.seed, len(examples), examples.blank)


def _batches(
    examples: Split,
    size: int,
    generator: torch.Generator,
    device: torch.device,
    augment: Augmenter | None,
    epoch: int,
) -> Iterator[tuple[Tensor, Tensor]]:
    order = torch.randperm(len(examples.labels), generator=generator)
    return feeding.batches(examples, order.split(size), device, augment, epoch)


def _step(
    model: nn.Module, optimizer: Optimizer, rate: float, images: Tensor, labels: Tensor
) -> tuple[float, int]:
    optimizer.zero_grad()
    logits = cast("Tensor", model(images))
    loss = functional.cross_entropy(logits, labels)
    loss.backward()
    optimizer.step(rate)
    return float(loss.detach()), int((logits.detach().argmax(1) == labels).sum())
