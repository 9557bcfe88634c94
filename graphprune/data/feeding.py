"""The batches of a training, in a given order, on the device that trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    import torch

    from graphprune.data.augmentation import Augmenter
    from graphprune.data.base import Split


def batches(
    examples: Split,
    chosen: Sequence[Tensor],
    device: torch.device,
    augment: Augmenter | None = None,
    epoch: int = 0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Images and labels on ``device``, a batch for each of the index tensors ``chosen``.

    augment: what is done to the images, as drawn for ``epoch`` (from 0); None: nothing.
    """
    images: Iterator[Tensor]
    if isinstance(examples.images, Tensor):
        images = (examples.images[indices] for indices in chosen)
    elif augment is not None and augment.by_file:
        images = examples.images.batches(chosen, partial(augment.of_example, epoch=epoch))
        augment = None
    else:
        images = examples.images.batches(chosen)
    for indices, batch in zip(chosen, images, strict=True):
        moved, labels = batch.to(device), examples.labels[indices].to(device)
        yield (moved if augment is None else augment(moved, indices, epoch)), labels
