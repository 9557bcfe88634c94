"""The batches of a training, in a given order, on the device that trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

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
    for indices in chosen:
        images, labels = examples.images[indices].to(device), examples.labels[indices].to(device)
        yield (images if augment is None else augment(images, indices, epoch)), labels
