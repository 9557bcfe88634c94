"""Trainings that go on after a kill, with the same bits."""

from __future__ import annotations

import hashlib
import json
import logging
import signal
import threading
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from graphprune import checkpoints
from graphprune.defaults import CHECKPOINT_MINUTES
from graphprune.errors import UserError, shown

if TYPE_CHECKING:
    from types import FrameType

    from torch import Tensor

    from graphprune.data import Split

KIND = "training"
# a training that takes less is made again rather than kept at its end
SHORT = 10.0
_log = logging.getLogger("graphprune")


class StoppedError(UserError):
    """The training was stopped by SIGTERM; its file keeps what was trained."""


class Partial:
    """The file that keeps a training which is not finished, and when it is written.

    It is written once ``minutes`` have passed since it was written last or the training began, and
    when the process gets SIGTERM. Use it as a context around the training; it belongs to one.

    >>> loop.train(model, examples, settings, partial=Partial("checkpoint.partial.safetensors"))
    """

    def __init__(self, path: str | Path, minutes: float = CHECKPOINT_MINUTES) -> None:
        self.path, self.seconds = Path(path), 60 * minutes
        self.stopped = False
        self.began = self.written = time.monotonic()
        self._before: Any = None

    def __enter__(self) -> Partial:
        # only the main thread may say what a signal does
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._stop)
        self.began = self.written = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        # writing waits until the step is done: in its middle there is no state to keep
        self.stopped = True

    @property
    def due(self) -> bool:
        """Whether the training is to be written now."""
        return self.stopped or time.monotonic() - self.written >= self.seconds

    @property
    def worth_keeping(self) -> bool:
        """Whether a finished training took long enough to be kept until its job has ended."""
        return time.monotonic() - self.began >= min(SHORT, self.seconds)

    def write(
        self, tensors: Mapping[str, Tensor], written: Mapping[str, Any], whose: Whose
    ) -> None:
        """Write what the next step depends on, atomically.

        ``written``, all that is no tensor, is stored as JSON, which keeps every bit of a float.
        """
        said = json.dumps({**written, "training": whose.said})
        # clones: the format refuses views, and layers may share memory
        copies = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
        checkpoints.save(self.path, copies, KIND, {"written": said})
        self.written = time.monotonic()

    def read(self, whose: Whose) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """What `write` wrote of this very training; None if there is nothing.

        The file of another training is removed. Raises UserError, naming it, if it is damaged.
        """
        if not self.path.exists():
            return None
        tensors, metadata = checkpoints.load(self.path, KIND)
        try:
            written = json.loads(metadata["written"])
            there, here = dict(written["training"]), whose.said
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise UserError(
                f"{self.path}: does not say which training it is of; remove it and run again"
            ) from error
        for key in sorted(there.keys() | here.keys()):
            if there.get(key) != here.get(key):
                values = shown(there.get(key)), shown(here.get(key))
                _log.info("%s: %s is %s there, %s here; starting over", self.path, key, *values)
                self.path.unlink()
                return None
        return tensors, written

    def remove(self) -> None:
        """Remove the file, for what it was kept for is written."""
        self.path.unlink(missing_ok=True)

    def stop(self, where: str) -> None:
        """Raise StoppedError if the process got SIGTERM; call it after `write`."""
        if self.stopped:
            raise StoppedError(
                f"stopped by SIGTERM after {where}; {self.path} keeps what was trained, and the "
                "same command goes on from there"
            )


class Whose:
    """What is equal in a training and in the one that wrote its file.

    settings: all that decide it. start, masks: the weights it begins with, and the masks. examples:
    those it is trained on. They are digested when they are first asked for, but for the weights,
    which change.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        start: Mapping[str, Tensor],
        masks: Mapping[str, Tensor],
        examples: Split,
    ) -> None:
        self._settings = settings
        self._digests = {"network": checkpoints.content_of(start)}
        self._masks, self._examples = masks, examples

    @cached_property
    def said(self) -> dict[str, Any]:
        """As JSON gives it back."""
        digests = {
            **self._digests,
            "masks": checkpoints.content_of(self._masks),
            "examples": _content(self._examples),
        }
        found: dict[str, Any] = json.loads(json.dumps({**self._settings, **digests}))
        return found


def _content(examples: Split) -> str:
    """SHA-256, hexadecimal, of images, labels and the black pixel that crops are padded with.

    Of a streamed dataset the digests of its files stand for the images, and none is read.
    """
    images, tensors = examples.images, {"labels": examples.labels}
    if examples.blank is not None:
        tensors["blank"] = examples.blank
    if isinstance(images, torch.Tensor):
        return checkpoints.content_of({**tensors, "images": images})
    return hashlib.sha256(images.digest + checkpoints.content_of(tensors).encode()).hexdigest()
