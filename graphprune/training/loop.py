"""Training and fine-tuning: one loop for both, with the masks held where there are any."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING

import torch
from torch import nn

from graphprune.data import feeding
from graphprune.data.augmentation import Augmenter
from graphprune.errors import UserError
from graphprune.masks import apply
from graphprune.randomness import generator_states, restore_generators, seed_of, seeded
from graphprune.training import resuming
from graphprune.training.average import Average
from graphprune.training.evaluation import accuracy
from graphprune.training.passes import Passes
from graphprune.training.schedule import learning_rate
from graphprune.training.settings import Settings, decisive

if TYPE_CHECKING:
    from torch import Tensor

    from graphprune.data import Split
    from graphprune.data.base import Scaling

Row = dict[str, float]
# losses that wait on a device before they are looked at, which waits for it
WAITING = {"cpu": 1, "cuda": 100}


def train(
    model: nn.Module,
    examples: Split,
    settings: Settings,
    masks: Mapping[str, Tensor] | None = None,
    validation: Split | None = None,
    on_epoch: Callable[[Row], None] | None = None,
    scaling: Scaling | None = None,
    partial: resuming.Partial | None = None,
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
    on_epoch : called with each row as it is made, and with those of a training that goes on.
    scaling : how pixels became the images; adversarial training measures in pixels.
    partial : the file that keeps the training for a kill; if it holds this training, it goes on
        from there and ends with the same bits.

    Returns
    -------
    One row an epoch: epoch (from 1), learning_rate (of its last step), loss (mean over the
    epoch's examples), accuracy_train (as seen step by step), accuracy_validation, seconds. With
    ``settings.ema``, accuracy_validation is that of the average, which the model is in the end.

    What layers draw by themselves (dropout) follows the settings' seed too, so that a network is
    trained alike alone and after others.

    Raises
    ------
    UserError : the loss is not finite; names the step and the setting to change.
    StoppedError : the process got SIGTERM; ``partial`` keeps what was trained. A UserError.
    """
    device = next(model.parameters()).device
    masks = {name: mask.to(device) for name, mask in (masks or {}).items()}
    apply(model, masks)
    with _layout(model, settings), seeded(seed_of(settings.seed, "train", "dropout"), device):
        training = _Training(model, examples, settings, masks, scaling)
        with partial or nullcontext():
            if partial is not None:
                training.resume(partial)
            for row in training.rows:
                if on_epoch is not None:
                    on_epoch(row)
            while training.epoch < settings.epochs:
                row = training.run_epoch(validation)
                if on_epoch is not None:
                    on_epoch(row)
                training.keep(f"epoch {training.epoch}")
            training.end()
    model.eval()
    return training.rows


class _Training:
    """A training: its state between two steps, and its epochs.

    epoch, step: how many are done, of the steps those of the current epoch. loss_sum, correct,
    seconds: of the current epoch so far. order: the generator of the order of the examples, as it
    was before the current epoch.
    """

    def __init__(
        self,
        model: nn.Module,
        examples: Split,
        settings: Settings,
        masks: Mapping[str, Tensor],
        scaling: Scaling | None,
    ) -> None:
        self.model, self.examples, self.settings, self.masks = model, examples, settings, masks
        self.scaling = scaling
        self.passes = Passes(model, settings, scaling)
        self.device = self.passes.device
        self.average = Average(model, settings.ema) if settings.ema else None
        self.augment = _augmenter(examples, settings)
        self.steps_an_epoch = math.ceil(len(examples.labels) / settings.batch_size)
        self.generator = torch.Generator().manual_seed(settings.seed)
        self.order = self.generator.get_state()
        self.epoch = self.step = 0
        self.loss_sum = self.correct = self.seconds = 0.0
        self.rows: list[Row] = []
        self.partial: resuming.Partial | None = None
        self.whose: resuming.Whose | None = None
        self._waiting: list[tuple[Tensor, Tensor, int]] = []

    def run_epoch(self, validation: Split | None) -> Row:
        """The rest of the current epoch: all of it, unless it was resumed."""
        start = time.perf_counter() - self.seconds
        self.model.train()
        batches = _batches(
            *(self.examples, self.settings, self.generator, self.device, self.step),
            *(self.augment, self.epoch),
        )
        for batch in batches:
            found = self.passes.step(*batch, self._rate(self.step))
            apply(self.model, self.masks)
            if self.average is not None:
                self.average.update()
            self.step += 1
            self._count(*found, len(batch[1]))
            if self.partial is not None and self.partial.due:
                self.seconds = time.perf_counter() - start
                self.keep(f"step {self.step} of epoch {self.epoch + 1}")
        self._look()
        row: Row = {
            "epoch": self.epoch + 1,
            "learning_rate": self._rate(self.step - 1),
            "loss": self.loss_sum / len(self.examples.labels),
            "accuracy_train": self.correct / len(self.examples.labels),
        }
        if validation is not None:
            with self.average.shown() if self.average is not None else nullcontext():
                row["accuracy_validation"] = accuracy(self.model, validation)
        row["seconds"] = time.perf_counter() - start
        self.rows.append(row)
        self.epoch, self.step, self.order = self.epoch + 1, 0, self.generator.get_state()
        self.loss_sum = self.correct = self.seconds = 0.0
        return row

    def end(self) -> None:
        """Keep the finished training, if it took long; then the model is the average."""
        if self.partial is not None and self.epoch and self.partial.worth_keeping:
            self._write()
        if self.average is not None:
            self.average.keep()

    def resume(self, partial: resuming.Partial) -> None:
        """Go on from what ``partial`` holds, and keep the training there from now on."""
        self.partial = partial
        self.whose = resuming.Whose(
            {
                **decisive(self.settings.section()),
                "device": self.device.type,
                "scaling": None if self.scaling is None else asdict(self.scaling),
            },
            self.model.state_dict(),
            self.masks,
            self.examples,
        )
        if (found := partial.read(self.whose)) is None:
            return
        tensors, written = found
        self.model.load_state_dict(_under("network", tensors))
        self.passes.restore(_under("passes", tensors), written["passes"])
        if self.average is not None:
            self.average.restore(_under("average", tensors))
        restore_generators(self.device, tensors)
        self.order = tensors["order"]
        self.generator.set_state(self.order)
        for name in _NUMBERS:
            setattr(self, name, written[name])

    def keep(self, where: str) -> None:
        """Write the training if it is due, and end it if the process is to stop."""
        if self.partial is not None and self.partial.due:
            self._write()
            self.partial.stop(where)

    def _write(self) -> None:
        self._look()
        assert self.partial is not None
        assert self.whose is not None
        parts = {
            "network": self.model.state_dict(),
            "passes": self.passes.tensors(),
            "average": self.average.tensors if self.average is not None else {},
        }
        tensors = {f"{part}.{n}": t for part, held in parts.items() for n, t in held.items()}
        tensors |= generator_states(self.device)
        written = {name: getattr(self, name) for name in _NUMBERS}
        written["passes"] = self.passes.numbers()
        self.partial.write({**tensors, "order": self.order}, written, self.whose)

    def _rate(self, step: int) -> float:
        steps = self.steps_an_epoch
        return learning_rate(self.settings, self.epoch, step / steps, 1 / steps)

    def _count(self, loss: Tensor, hits: Tensor, examples: int) -> None:
        self._waiting.append((loss, hits, examples))
        if len(self._waiting) >= WAITING.get(self.device.type, 1):
            self._look()

    def _look(self) -> None:
        """Add up the losses that wait. Raises UserError for one that is not finite."""
        first = self.step - len(self._waiting)
        for place, (tensor, hits, examples) in enumerate(self._waiting, first + 1):
            loss = float(tensor)
            if not math.isfinite(loss):
                raise UserError(
                    f"loss is {loss} in epoch {self.epoch + 1}, step {place}; "
                    f"lower learning_rate (now {self.settings.learning_rate})"
                )
            self.loss_sum += loss * examples
            self.correct += int(hits)
        self._waiting.clear()


# what of a training is written beside its tensors
_NUMBERS = ("epoch", "step", "loss_sum", "correct", "seconds", "rows")


def _under(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    start = f"{part}."
    return {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}


def _augmenter(examples: Split, settings: Settings) -> Augmenter | None:
    if settings.augmentation == "none":
        return None
    return Augmenter(settings.augmentation, settings.seed, len(examples), examples.blank)


def _batches(
    examples: Split,
    settings: Settings,
    generator: torch.Generator,
    device: torch.device,
    done: int,
    augment: Augmenter | None,
    epoch: int,
) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of an epoch, without the first ``done``."""
    order = torch.randperm(len(examples.labels), generator=generator)
    rest = order.split(settings.batch_size)[done:]
    for images, labels in feeding.batches(examples, rest, device, augment, epoch):
        if settings.channels_last and images.ndim == 4:
            yield images.contiguous(memory_format=torch.channels_last), labels
        else:
            yield images, labels


@contextmanager
def _layout(model: nn.Module, settings: Settings) -> Iterator[None]:
    """Within the block filters have their channels last in memory, where that is wanted."""
    if not settings.channels_last:
        yield
        return
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        yield
    finally:
        model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
