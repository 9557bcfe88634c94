"""Images read from their files when they are needed, by worker processes, in a given order."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, overload

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from graphprune.data.augmentation import boxes
from graphprune.data.base import Scaling
from graphprune.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

# of one example, by its index: the random numbers for its part of the image (`Augmenter`)
Draw = Callable[[int], Tensor]


@dataclass(frozen=True, eq=False)
class Files:
    """The files of a split: tensors, for a list of texts would be copied into every worker.

    root: the folder they are below. names: their paths, UTF-8, one after the other. ends: where
    each ends in ``names``, int64 ``(n,)``. digests: SHA-256 of each file, uint8 ``(n, 32)``.
    """

    root: str
    names: Tensor
    ends: Tensor
    digests: Tensor

    @classmethod
    def of(cls, root: str, names: Sequence[str], digests: Sequence[bytes]) -> Files:
        """Of the paths ``names`` below ``root``, whose files have these digests."""
        encoded = [name.encode() for name in names]
        ends = torch.tensor([len(name) for name in encoded], dtype=torch.int64).cumsum(0)
        return cls(root, _bytes(b"".join(encoded)), ends, _bytes(b"".join(digests)).view(-1, 32))

    def path(self, index: int) -> Path:
        """The file ``index``."""
        start = int(self.ends[index - 1]) if index else 0
        return Path(self.root, bytes(self.names[start : int(self.ends[index])].tolist()).decode())


@dataclass(frozen=True, eq=False)
class StreamedImages:
    """The images of a split, as far as they are asked for; it stands where a Tensor of all would.

    files: of the split. chosen: indices into them, int64 ``(n,)``. size: of the images, in pixels.
    edge: the shorter edge before the square in the middle is taken. scaling: from pixels to inputs.
    workers: processes that read batches ahead; 0: none. interpolation: how `middle` scales.

    An index tensor gives a Tensor float32 ``(k, 3, size, size)``, a slice gives a view that is not
    read yet. Every file that is read must have the digest in ``files``.

    Raises UserError, naming the file, when one is missing, another than the one of the manifest, or
    broken.

    >>> dataset.train.images[torch.tensor([0, 5])].shape
    torch.Size([2, 3, 224, 224])
    """

    files: Files
    chosen: Tensor
    size: int
    edge: int
    scaling: Scaling
    workers: int = 0
    interpolation: str = "bilinear"

    # by which those know it that do not import this module
    streamed: ClassVar[bool] = True
    dtype: ClassVar[torch.dtype] = torch.float32
    ndim: ClassVar[int] = 4

    @property
    def shape(self) -> torch.Size:
        return torch.Size((len(self), 3, self.size, self.size))

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over what the images are made from, in their order."""
        sha = hashlib.sha256(
            f"{self.size} {self.edge} {self.scaling} {self.interpolation}".encode()
        )
        sha.update(self.files.digests[self.chosen].numpy().data)
        return sha.digest()

    def __len__(self) -> int:
        return len(self.chosen)

    @overload
    def __getitem__(self, chosen: slice) -> StreamedImages: ...
    @overload
    def __getitem__(self, chosen: Tensor) -> Tensor: ...
    def __getitem__(self, chosen: Tensor | slice) -> Tensor | StreamedImages:
        if isinstance(chosen, slice):
            return replace(self, chosen=self.chosen[chosen])
        return next(replace(self, workers=0).batches([chosen]))

    def to(self, device: torch.device | str) -> Tensor:
        """All of these images on ``device``."""
        return self[torch.arange(len(self))].to(device)

    def split(self, size: int) -> Iterator[Tensor]:
        """The images in order, ``size`` at a time; read ahead by the workers."""
        return self.batches(torch.arange(len(self)).split(size))

    def batches(self, chosen: Sequence[Tensor], draw: Draw | None = None) -> Iterator[Tensor]:
        """A batch for each of the index tensors ``chosen``, whatever the number of workers.

        draw: random numbers for a part of each image and its mirroring; None: the middle of each.
        """
        loader: DataLoader[Tensor] = DataLoader(
            _Pixels(self, draw),
            batch_sampler=_Indices(chosen),
            num_workers=min(self.workers, len(chosen)),
            collate_fn=_together,
            # else it would draw from torch's own generator, and dropout would change
            generator=torch.Generator(),
        )
        for pixels in loader:
            if isinstance(pixels, str):
                raise UserError(pixels)
            yield self.scaling.forward(pixels)


class _Indices:
    """The indices of each batch as a list, made when the batch's turn comes."""

    def __init__(self, chosen: Sequence[Tensor]) -> None:
        self.chosen = chosen

    def __iter__(self) -> Iterator[list[int]]:
        return (indices.tolist() for indices in self.chosen)

    def __len__(self) -> int:
        return len(self.chosen)


class _Pixels(Dataset[Tensor]):
    """What a worker does: the pixels uint8 ``(3, size, size)`` of an example, or why it cannot."""

    def __init__(self, images: StreamedImages, draw: Draw | None) -> None:
        self.images, self.draw = images, draw

    def __getitem__(self, index: int) -> Tensor | str:  # type: ignore[override]
        images = self.images
        place = int(images.chosen[index])
        path = images.files.path(place)
        try:
            content = path.read_bytes()
            digest = bytes(images.files.digests[place].tolist())
            if hashlib.sha256(content).digest() != digest:
                return f"{path}: is not the file that the dataset was prepared from; put it back"
            image = opened(content)
        except Exception as error:  # Pillow raises what it likes
            return broken(path, error)
        if self.draw is None:
            return _pixels(middle(image, images.edge, images.size, images.interpolation))
        return _pixels(part(image, self.draw(index), images.size))


def _together(items: list[Tensor | str]) -> Tensor | str:
    pixels = []
    for item in items:
        # a message, for an exception would come out of a worker as a page of text
        if isinstance(item, str):
            return item
        pixels.append(item)
    return torch.stack(pixels)


def opened(content: bytes) -> Image:
    """The image in RGB that a file with this ``content`` holds."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        return image.convert("RGB")


def broken(path: Path, error: Exception) -> str:
    """One line about an image that cannot be read."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return f"{path}: is a broken image ({reason:.200}); replace or remove it"


def middle(image: Image, edge: int, size: int, interpolation: str = "bilinear") -> Image:
    """The square of ``size`` in the middle of ``image``, whose shorter edge is made ``edge``.

    As torchvision's Resize(edge) and CenterCrop(size) do it, with antialiasing. interpolation:
    "bilinear" or "bicubic".
    """
    from PIL.Image import Resampling

    width, height = image.size
    short = min(width, height)
    if short != edge:
        width, height = (edge if n == short else int(edge * n / short) for n in (width, height))
        image = image.resize((width, height), Resampling[interpolation.upper()])
    left, top = round((width - size) / 2.0), round((height - size) / 2.0)
    return image.crop((left, top, left + size, top + size))


def part(image: Image, drawn: Tensor, size: int) -> Image:
    """A random part of ``image``, scaled to ``size`` and perhaps mirrored (RandomResizedCrop)."""
    from PIL.Image import Resampling, Transpose

    width, height = image.size
    top, left, tall, wide = (int(number) for number in boxes(drawn, height, width))
    cropped = image.crop((left, top, left + wide, top + tall))
    cropped = cropped.resize((size, size), Resampling.BILINEAR)
    return cropped.transpose(Transpose.FLIP_LEFT_RIGHT) if drawn[0, -1] < 0.5 else cropped


def _pixels(image: Image) -> Tensor:
    pixels = _bytes(image.tobytes()).view(image.height, image.width, 3)
    return pixels.permute(2, 0, 1).contiguous()


def _bytes(content: bytes) -> Tensor:
    if not content:
        return torch.empty(0, dtype=torch.uint8)
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)
