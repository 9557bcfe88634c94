"""How a network that was trained elsewhere sees a dataset: its own size and scaling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from graphprune.data.base import Dataset, Scaling, Split
from graphprune.errors import UserError
from graphprune.options import check_fields

if TYPE_CHECKING:
    from torch import Tensor

    from graphprune.data.streamed.images import StreamedImages

Pixels = Annotated[int, Field(ge=1, le=4096)]
# images in one call of the resizing
_CHUNK = 1000


@dataclass(frozen=True)
class Preprocess:
    """How images become the inputs of a network: ``x = (pixel / levels - mean) / std``.

    The shorter side is scaled to ``resize`` pixels, with antialiasing and on the 8-bit pixels: up
    to rounding what Pillow gives. Then the middle ``size`` x ``size`` pixels are cut out. Images of
    a streamed dataset are made from their files like that, by Pillow and once: not from the images
    of the dataset's own size.
    """

    mean: Annotated[
        tuple[float, ...],
        Field(
            description="By channel, or one number for all, of pixels in [0, 1]; the dataset's own "
            "scaling where it is not given."
        ),
    ] = ()
    std: Annotated[
        tuple[Annotated[float, Field(gt=0)], ...],
        Field(description="As `mean`; the two are given together."),
    ] = ()
    size: Annotated[
        Pixels | None,
        Field(description="Side of the square that is cut out; null leaves the size as it is."),
    ] = None
    resize: Annotated[
        Pixels | None,
        Field(description="Pixels that the shorter side is scaled to; null: those of `size`."),
    ] = None
    interpolation: Annotated[
        Literal["bilinear", "bicubic"], Field(description="How images are scaled.")
    ] = "bilinear"
    classes: Annotated[
        tuple[str, ...],
        Field(
            description="Names of the network's outputs, in their order; they have to be the "
            "dataset's. Not compared where they are not given."
        ),
    ] = ()

    def __post_init__(self) -> None:
        check_fields(self)
        if len(self.mean) != len(self.std):
            raise UserError(
                f"mean has {len(self.mean)} numbers and std {len(self.std)}; give one of each a "
                "channel, or one of each for all"
            )
        if self.resize and not self.size:
            raise UserError(f"resize is {self.resize} without a size; give the size to cut out")
        if self.resize and self.size and self.resize < self.size:
            raise UserError(f"resize is {self.resize}; allowed: at least size, {self.size}")

    @classmethod
    def of(cls, given: Mapping[str, object]) -> Preprocess:
        """That of fields as JSON and YAML have them, with lists."""
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in given.items()
        }
        return cls(**fields)

    def shape(self, input_shape: tuple[int, ...]) -> tuple[int, int, int]:
        """The shape of the inputs made of images ``input_shape``, (channels, height, width).

        Raises UserError if there are not as many means as channels.
        """
        channels, height, width = input_shape
        if len(self.mean) not in (0, 1, channels):
            raise UserError(
                f"mean has {len(self.mean)} numbers; allowed: 1 or, as images have channels, "
                f"{channels}"
            )
        return (channels, self.size or height, self.size or width)

    def check_classes(self, classes: tuple[str, ...], dataset: str) -> None:
        """UserError at the first name that is not that of the ``classes`` of ``dataset``."""
        if not self.classes or not classes:
            return
        if len(self.classes) != len(classes):
            raise UserError(
                f"classes has {len(self.classes)} names; dataset {dataset} has {len(classes)}"
            )
        for place, (own, its) in enumerate(zip(self.classes, classes, strict=True)):
            if own != its:
                raise UserError(
                    f"classes[{place}] is {own!r}; in dataset {dataset} it is {its!r}: outputs and "
                    "labels have to have one order"
                )

    def seen(self, dataset: Dataset) -> Dataset:
        """``dataset`` as the network sees it: other images, the same labels and splits.

        >>> Preprocess(size=16).seen(load("digits")).input_shape
        (1, 16, 16)
        """
        if self == Preprocess(classes=self.classes):
            return dataset
        shape = self.shape(dataset.input_shape)
        scaling = self._scaling(dataset.scaling)
        blank = scaling.blank(shape[0]) if scaling else None
        train, validation, test = (
            Split(self._seen(split.images, dataset.scaling), split.labels, blank)
            for split in dataset.splits().values()
        )
        return replace(
            dataset,
            train=train,
            validation=validation,
            test=test,
            input_shape=shape,
            scaling=scaling,
        )

    def _seen(
        self, images: Tensor | StreamedImages, own: Scaling | None
    ) -> Tensor | StreamedImages:
        from torch import Tensor

        if isinstance(images, Tensor):
            return self._inputs(images, own)
        scaling = self._scaling(own)
        assert scaling is not None  # files hold 8-bit pixels
        return replace(
            images,
            size=self.size or images.size,
            edge=self.resize or self.size or images.edge,
            scaling=scaling,
            interpolation=self.interpolation,
        )

    def _scaling(self, own: Scaling | None) -> Scaling | None:
        return replace(own, mean=self.mean, std=self.std) if own and self.mean else own

    def _inputs(self, images: Tensor, own: Scaling | None) -> Tensor:
        pixels = self._cut(own.backward(images) if own else images)
        if scaling := self._scaling(own):
            return scaling.forward(pixels)
        # images that never were 8-bit pixels: the numbers themselves are scaled
        return Scaling(1, self.mean, self.std).forward(pixels.clone())

    def _cut(self, pixels: Tensor) -> Tensor:
        if not self.size:
            return pixels
        import torch

        from graphprune.torchvision_import import torchvision

        functional = torchvision("transforms.v2.functional")
        mode = torchvision("transforms").InterpolationMode(self.interpolation)
        side = [self.resize or self.size]
        return torch.cat(
            [
                functional.center_crop(
                    functional.resize(chunk, side, interpolation=mode, antialias=True),
                    [self.size, self.size],
                )
                for chunk in pixels.split(_CHUNK)
            ]
        )
