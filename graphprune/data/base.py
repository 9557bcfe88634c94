"""What a dataset is: three splits of labelled images, and how pixels become a network's inputs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from graphprune.data.streamed.images import StreamedImages

    # images (n, C, H, W), uint8 or floating point, and labels int64 (n,)
    Labelled = tuple[NDArray[np.generic], NDArray[np.int64]]

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Parts:
    """A dataset as its files hold it, before the validation split is taken off.

    train, test: images and labels in the order of the files; test is None where the files have no
    test split. classes: names of the classes, where the files give them.
    """

    train: Labelled
    test: Labelled | None = None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Split:
    """Labelled images: ``images`` float32 ``(n, C, H, W)``, ``labels`` int64 ``(n,)``.

    Images of a streamed dataset are read when they are asked for: with an index tensor, or batch by
    batch by ``split``. They have ``len`` and ``shape`` like the Tensor of an in-memory dataset.

    blank: a black pixel as the images hold it, float32 ``(C, 1, 1)``; None: zeros.
    """

    images: Tensor | StreamedImages
    labels: Tensor
    blank: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Scaling:
    """How pixels become inputs: ``x = (pixel / levels - mean) / std``, in float32.

    mean, std: one number a channel; both empty: ``x = pixel / levels``.
    """

    levels: int = 255
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def forward(self, pixels: Tensor) -> Tensor:
        """Inputs float32 ``(n, C, H, W)`` of pixels uint8 of the same shape."""
        import torch

        inputs = pixels.to(torch.float32).div_(self.levels)
        if self.mean:
            mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (self.mean, self.std))
            inputs.sub_(mean).div_(std)
        return inputs

    def blank(self, channels: int) -> Tensor:
        """The input of a black pixel, float32 ``(channels, 1, 1)``."""
        import torch

        return self.forward(torch.zeros(1, channels, 1, 1, dtype=torch.uint8))[0]

    def backward(self, inputs: Tensor) -> Tensor:
        """The uint8 pixels from which ``forward`` made ``inputs``."""
        import torch

        if self.mean:
            mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (self.mean, self.std))
            inputs = inputs * std + mean
        return (inputs * self.levels).round().clamp(0, 255).to(torch.uint8)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset with its fixed splits.

    train: for training and for calibration examples. validation: for choices during development.
    test: for reported results only.
    classes: names in the order of the labels. input_shape: (C, H, W).
    scaling: how 8-bit pixels became the images; None if the images were not 8-bit pixels.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    input_shape: tuple[int, int, int]
    scaling: Scaling | None = field(default=None)

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    def splits(self) -> dict[str, Split]:
        """The three splits by name, in a fixed order."""
        return {name: getattr(self, name) for name in SPLITS}

    @cached_property
    def digest(self) -> str:
        """SHA-256, hexadecimal, over each split's name, image shape, images and labels in order.

        The same for the same inputs to a network, whatever file or library they came from. Of a
        streamed dataset the digests of the files stand for the images.
        """
        sha = hashlib.sha256()
        for name, split in self.splits().items():
            sha.update(f"{name} {tuple(split.images.shape)}".encode())
            sha.update(_content(split.images))
            sha.update(_content(split.labels))
        return sha.hexdigest()


def _content(images: Tensor | StreamedImages) -> bytes | memoryview:
    from torch import Tensor

    if isinstance(images, Tensor):
        return images.flatten().numpy().data
    return images.digest
