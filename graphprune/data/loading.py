"""From a dataset's name to its three splits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from graphprune.data.base import Dataset, Scaling, Split
from graphprune.data.catalog import Description, describe
from graphprune.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphprune.data.embedded import Labelled

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.1


def load(name: str, root: str | Path = "data", download: bool = True) -> Dataset:
    """The dataset ``name``, split into training, validation and test.

    ``digits`` and ``mnist5k`` come with installed packages: per class, 20 % are the test split,
    10 % validation and the rest training. ``mnist``, ``fashion_mnist``, ``cifar10`` and
    ``cifar100`` come from torchvision's folder below ``root``: the published test images are the
    test split, and 10 % of each class of the published training images are validation.
    ``cifar10_subset`` is a file of that name in ``root`` (see `graphprune.data.archive`), parted in
    the same way. The choice is ``splits.stratified``: fixed, and the same on every machine.

    Pixels become float32 in [0, 1]; CIFAR's are then standardised by channel. MNIST's and the
    digits' are not, so that the background stays exactly 0.

    Parameters
    ----------
    name : one of ``graphprune.data.DATASETS``.
    root : folder below which torchvision's layout is found or made, and ``cifar10_subset.npz``.
    download : whether torchvision may download what is not there.

    Raises
    ------
    UserError : an unknown name; a folder that is missing or damaged, by its name.

    >>> load("digits").train.images.shape
    torch.Size([1259, 1, 8, 8])
    """
    description = describe(name)
    if name in ("digits", "mnist5k"):
        train, validation, test, classes = _embedded(name, description)
    elif name == "cifar10_subset":
        train, validation, test, classes = _from_archive(name, root, description)
    else:
        train, validation, test, classes = _from_torchvision(name, root, download)
    _check(name, description, (train, validation, test), classes)
    scaling = Scaling(description.levels, description.mean, description.std)
    return Dataset(
        name,
        _split(train, scaling),
        _split(validation, scaling),
        _split(test, scaling),
        classes=description.classes or classes,
        input_shape=description.input_shape,
        scaling=scaling,
    )


def _embedded(
    name: str, description: Description
) -> tuple[Labelled, Labelled, Labelled, tuple[str, ...]]:
    from graphprune.data import embedded
    from graphprune.data.splits import stratified

    everything = embedded.digits() if name == "digits" else embedded.mnist5k()
    test, validation, train = stratified(everything[1], [TEST_SHARE, VALIDATION_SHARE])
    parts = [_take(everything, part) for part in (train, validation, test)]
    return parts[0], parts[1], parts[2], description.classes


def _from_torchvision(
    name: str, root: str | Path, download: bool
) -> tuple[Labelled, Labelled, Labelled, tuple[str, ...]]:
    from graphprune.data import vision
    from graphprune.data.splits import stratified

    everything, test, classes = vision.read(name, root, download)
    validation, train = stratified(everything[1], [VALIDATION_SHARE])
    return _take(everything, train), _take(everything, validation), test, classes


def _from_archive(
    name: str, root: str | Path, description: Description
) -> tuple[Labelled, Labelled, Labelled, tuple[str, ...]]:
    from graphprune.data import archive
    from graphprune.data.splits import stratified

    everything, test = archive.read(name, root, description.input_shape)
    validation, train = stratified(everything[1], [VALIDATION_SHARE])
    return _take(everything, train), _take(everything, validation), test, description.classes


def _take(labelled: Labelled, indices: NDArray[np.intp]) -> Labelled:
    pixels, labels = labelled
    return pixels[indices], labels[indices]


def _check(
    name: str, description: Description, parts: tuple[Labelled, ...], classes: tuple[str, ...]
) -> None:
    expected = description.num_classes
    if len(classes) != expected:
        raise UserError(f"dataset {name} names {len(classes)} classes; expected {expected}")
    for pixels, labels in parts:
        if pixels.shape != (len(labels), *description.input_shape):
            shape = " x ".join(map(str, description.input_shape))
            raise UserError(
                f"dataset {name} has images {pixels.shape} for {len(labels)} labels; "
                f"expected {shape} each"
            )
        if len(labels) and not (labels.min() >= 0 and labels.max() < expected):
            raise UserError(
                f"dataset {name} has labels {labels.min()}..{labels.max()}; "
                f"allowed: 0..{expected - 1}"
            )


def _split(labelled: Labelled, scaling: Scaling) -> Split:
    import torch

    pixels, labels = labelled
    return Split(scaling.forward(torch.from_numpy(pixels)), torch.from_numpy(labels))
