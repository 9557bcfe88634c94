"""From a dataset's name to its three splits."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphprune.data.base import Dataset, Parts, Scaling, Split
from graphprune.data.catalog import Description, describe
from graphprune.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphprune.data.base import Labelled

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.1
SPLITS = ("train", "validation", "test")


def load(name: str, root: str | Path = "data", download: bool = True) -> Dataset:
    """The dataset ``name``, split into training, validation and test.

    Most files come with a test split (torchvision's datasets, ``cifar10_subset``, plug-ins). It
    stays the test split, and 10 % of each class of the training images become the validation
    split. The others (``digits``, ``mnist5k``) give 20 % of each class to the test split and 10 %
    to the validation split. ``splits.stratified`` chooses them, the same on every machine.

    Of a streamed dataset (TinyImageNet, ImageNet, ``data.folders`` of a configuration) every file
    is read once; the splits hold a manifest, and images are read when they are asked for.

    Pixels become float32 in [0, 1]; CIFAR's are then standardised by channel. MNIST's and the
    digits' are not, so that the background stays exactly 0.

    Parameters
    ----------
    name : one of ``graphprune.data.DATASETS``.
    root : folder of the data files, in torchvision's layout, and of ``cifar10_subset.npz``; the
        functions of plug-ins get it too.
    download : whether torchvision may download what is missing.

    Raises
    ------
    UserError : an unknown name; a folder or file that is missing, damaged, or not the published
        one (it is named).

    >>> load("digits").train.images.shape
    torch.Size([1259, 1, 8, 8])
    """
    description = describe(name)
    if description.streamed:
        return _streamed(name, description, Path(root))
    parts = _reader(description)(name, root, download, **description.source)
    splits = _splits(parts)
    classes = description.classes or parts.classes
    _check(name, description, splits, classes)
    # floating-point images are taken as they are
    scaled = all(images.dtype.kind == "u" for images, _ in splits)
    scaling = Scaling(description.levels, description.mean, description.std) if scaled else None
    train, validation, test = (_split(labelled, scaling) for labelled in splits)
    dataset = Dataset(
        name,
        train,
        validation,
        test,
        classes=classes,
        input_shape=description.input_shape,
        scaling=scaling,
    )
    if description.digest and dataset.digest != description.digest:
        raise UserError(
            f"dataset {name} has the digest {dataset.digest}; expected {description.digest}: the "
            "package that it comes with holds other images; install the version in envs/lock.txt"
        )
    return dataset


def _streamed(name: str, description: Description, root: Path) -> Dataset:
    from graphprune.data.streamed.manifest import prepared

    source = description.source
    path = Path(source["path"]) if "path" in source else root / source["below"]
    return prepared(name, description, _reader(description)(name, path))


def _reader(description: Description) -> Callable[..., Any]:
    if not isinstance(description.reader, str):
        return description.reader
    module, _, function = description.reader.partition(":")
    reader: Callable[..., Any] = getattr(import_module(module), function)
    return reader


def _splits(parts: Parts) -> tuple[Labelled, Labelled, Labelled]:
    """Training, validation and test split."""
    from graphprune.data.splits import stratified

    if parts.test is None:
        test, validation, train = stratified(parts.train[1], [TEST_SHARE, VALIDATION_SHARE])
        return _take(parts.train, train), _take(parts.train, validation), _take(parts.train, test)
    validation, train = stratified(parts.train[1], [VALIDATION_SHARE])
    return _take(parts.train, train), _take(parts.train, validation), parts.test


def _take(labelled: Labelled, indices: NDArray[np.intp]) -> Labelled:
    pixels, labels = labelled
    return pixels[indices], labels[indices]


def _check(
    name: str, description: Description, parts: tuple[Labelled, ...], classes: tuple[str, ...]
) -> None:
    expected = description.num_classes
    if len(classes) != expected:
        raise UserError(f"dataset {name} names {len(classes)} classes; expected {expected}")
    for split, (pixels, labels) in zip(SPLITS, parts, strict=True):
        if pixels.shape != (len(labels), *description.input_shape):
            shape = " x ".join(map(str, description.input_shape))
            raise UserError(
                f"dataset {name}: split {split} has images {pixels.shape} for {len(labels)} "
                f"labels; expected {shape} each"
            )
        if len(labels) and not (labels.min() >= 0 and labels.max() < expected):
            raise UserError(
                f"dataset {name}: split {split} has labels {labels.min()}..{labels.max()}; "
                f"allowed: 0..{expected - 1}"
            )
    for split, (_, labels) in zip(SPLITS, parts, strict=True):
        if not len(labels):
            raise UserError(
                f"dataset {name}: split {split} is empty; a class of 5 training images gives one "
                "to validation"
            )


def _split(labelled: Labelled, scaling: Scaling | None) -> Split:
    import torch

    images, labels = torch.from_numpy(labelled[0]), torch.from_numpy(labelled[1])
    if scaling is None:
        return Split(images, labels)
    return Split(scaling.forward(images), labels, scaling.blank(images.shape[1]))
