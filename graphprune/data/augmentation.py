"""Random crops and flips of training images, drawn from seed, epoch and index alone.

What an example looks like in an epoch therefore does not depend on the batch it is in, on the
number of workers or processes, or on whether the training was resumed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from graphprune.data.catalog import describe
from graphprune.errors import UserError
from graphprune.randomness import seed_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Augmentation = Literal["none", "by_dataset", "crop", "crop_flip", "resized_crop_flip"]
# random numbers that an example takes in an epoch
DRAWS = {"crop": 3, "crop_flip": 3, "resized_crop_flip": 23}
# torchvision's defaults of RandomResizedCrop: share of the area, width by height, tries
AREA, RATIO, TRIES = (0.08, 1.0), (3 / 4, 4 / 3), 10


def augmentation_of(chosen: str, dataset: str) -> str:
    """The augmentation ``chosen``; where it is "by_dataset", that of the dataset in the catalog.

    >>> augmentation_of("by_dataset", "cifar10")
    'crop_flip'
    """
    return describe(dataset).augmentation if chosen == "by_dataset" else chosen


class Augmenter:
    """Augments batches of training images.

    kind: one of ``DRAWS``. "crop" adds an eighth of the height and width, black, on every side and
        takes a part of the image's size (4 pixels at 32, as in He et al. 2016); "crop_flip" also
        mirrors half of the images; "resized_crop_flip" takes a part of 8 to 100 % of the area,
        scales it to the image's size and mirrors half (torchvision's RandomResizedCrop, bilinear
        with antialiasing).
    seed: that of the training. count: examples in the split. blank: a black pixel as the images
        hold it, ``(C, 1, 1)``; None: zeros.

    Raises UserError for another kind.

    >>> augment = Augmenter("crop_flip", seed=0, count=len(split), blank=split.blank)
    >>> augment(split.images[chosen], chosen, epoch=3)
    """

    def __init__(self, kind: str, seed: int, count: int, blank: Tensor | None = None) -> None:
        if kind not in DRAWS:
            raise UserError(
                f"augmentation is {kind}; allowed here: none, {', '.join(DRAWS)} (by_dataset is "
                "what a configuration says)"
            )
        self.kind, self.count, self.blank = kind, count, blank
        self.seed = seed_of(seed, "train", "augmentation")
        self._drawn: tuple[tuple[int, torch.device], Tensor] | None = None

    @property
    def by_file(self) -> bool:
        """Whether the images of a streamed dataset are augmented before they have one size."""
        return self.kind == "resized_crop_flip"

    def __call__(self, images: Tensor, chosen: Tensor, epoch: int) -> Tensor:
        """``images`` float32 ``(n, C, H, W)`` on any device, augmented.

        chosen: their indices in the split, int64 ``(n,)``. epoch: counted from 0.
        """
        drawn = self._epoch(epoch, images.device)[chosen.to(images.device)]
        if self.kind == "resized_crop_flip":
            return _resized(images, boxes(drawn, *images.shape[-2:]), drawn[:, -1] < 0.5)
        flip = drawn[:, 2] < (0.5 if self.kind == "crop_flip" else 0.0)
        return _cropped(images, self.blank, drawn, flip)

    def of_example(self, index: int, epoch: int) -> Tensor:
        """The random numbers of one example in an epoch, float64 ``(1, DRAWS[kind])``."""
        return uniform(self.seed, epoch, DRAWS[self.kind], index, 1)

    def _epoch(self, epoch: int, device: torch.device) -> Tensor:
        # of all examples at once: one transfer to the device an epoch
        if self._drawn is None or self._drawn[0] != (epoch, device):
            drawn = uniform(self.seed, epoch, DRAWS[self.kind], 0, self.count)
            self._drawn = (epoch, device), drawn.to(device)
        return self._drawn[1]


def uniform(seed: int, epoch: int, draws: int, first: int, count: int) -> Tensor:
    """Uniform numbers in [0, 1) for ``count`` examples from ``first`` on: float64 (count, draws).

    Row i is made of the words that Philox 4x64 (Salmon et al., Parallel random numbers: as easy as
    1, 2, 3, SC 2011) gives for the key ``seed`` and the counter (epoch, example), the upper 53 bits
    of each, so that no example depends on another.
    """
    import numpy as np
    import torch

    blocks = -(-draws // 4)  # of four words
    philox = np.random.Philox(key=seed, counter=(epoch << 128) + first * blocks)
    words = philox.random_raw(count * blocks * 4) >> np.uint64(11)
    return torch.from_numpy(words * 2.0**-53).reshape(count, blocks * 4)[:, :draws]


def boxes(drawn: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Top, left, height and width of random parts of an image, as torchvision chooses them.

    Of ten draws of area and shape the first that fits is taken, else the largest part in the middle
    whose shape is allowed.

    drawn: ``(n, 22 or more)``. Returns int64 ``(n,)`` each.
    """
    import torch

    low, high = AREA
    area = height * width * (low + drawn[:, :TRIES] * (high - low))
    low, high = (math.log(ratio) for ratio in RATIO)
    ratio = torch.exp(low + drawn[:, TRIES : 2 * TRIES] * (high - low))
    # torch's round, like Python's, takes halves to even numbers
    heights, widths = (area / ratio).sqrt().round(), (area * ratio).sqrt().round()
    fits = (heights >= 1) & (heights <= height) & (widths >= 1) & (widths <= width)
    first = fits.to(torch.int64).argmax(1, keepdim=True)
    found = fits.any(1)
    tall, wide = (sizes.gather(1, first)[:, 0].long() for sizes in (heights, widths))
    middle_tall, middle_wide = _middle(height, width)
    tall, wide = tall.where(found, middle_tall), wide.where(found, middle_wide)
    rest = (height - tall, width - wide)
    top, left = (
        (drawn[:, 2 * TRIES + axis] * (rest[axis] + 1)).long().where(found, rest[axis] // 2)
        for axis in (0, 1)
    )
    return top, left, tall, wide


def _middle(height: int, width: int) -> tuple[Tensor, Tensor]:
    import torch

    tall, wide = height, width
    if width / height < RATIO[0]:
        tall = round(width / RATIO[0])
    elif width / height > RATIO[1]:
        wide = round(height * RATIO[1])
    return torch.tensor(tall), torch.tensor(wide)


def _cropped(images: Tensor, blank: Tensor | None, drawn: Tensor, flip: Tensor) -> Tensor:
    import torch

    n, channels, height, width = images.shape
    tall, wide = height // 8, width // 8
    around = images.new_zeros(channels, 1, 1) if blank is None else blank.to(images)
    padded = around.expand(n, channels, height + 2 * tall, width + 2 * wide).clone()
    padded[..., tall : tall + height, wide : wide + width] = images
    down, across = (torch.arange(size, device=images.device) for size in (height, width))
    across = torch.where(flip[:, None], across.flip(0), across)
    rows = (drawn[:, :1] * (2 * tall + 1)).long() + down
    columns = (drawn[:, 1:2] * (2 * wide + 1)).long() + across
    example = torch.arange(n, device=images.device).view(n, 1, 1, 1)
    channel = torch.arange(channels, device=images.device).view(1, channels, 1, 1)
    return padded[example, channel, rows[:, None, :, None], columns[:, None, None, :]]


def _resized(images: Tensor, parts: tuple[Tensor, Tensor, Tensor, Tensor], flip: Tensor) -> Tensor:
    top, left, tall, wide = parts
    height, width = images.shape[-2:]
    rows, columns = _weights(top, tall, height), _weights(left, wide, width)
    columns = columns.flip(1).where(flip[:, None, None], columns)
    rows, columns = (weights.to(images.dtype)[:, None] for weights in (rows, columns))
    resized: Tensor = rows @ images @ columns.transpose(-1, -2)
    return resized


def _weights(start: Tensor, size: Tensor, length: int) -> Tensor:
    """What each of ``length`` pixels takes from each pixel of a row: ``(n, length, length)``.

    The part of ``size`` pixels from ``start`` is scaled to the whole row by a triangle as wide as
    one pixel of the part or of the result, whichever is larger.
    """
    import torch

    place = torch.arange(length, device=start.device)
    scale = (size / length).view(-1, 1, 1)
    centre = scale * (place + 0.5).view(1, -1, 1)
    inside = place - start.view(-1, 1, 1)
    weights = (1 - (inside + 0.5 - centre).abs() / scale.clamp(min=1)).clamp(min=0)
    weights = weights * ((inside >= 0) & (inside < size.view(-1, 1, 1)))
    return weights / weights.sum(-1, keepdim=True)
