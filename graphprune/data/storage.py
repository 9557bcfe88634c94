"""A prepared dataset as one file, which every later stage reads in milliseconds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from graphprune import checkpoints
from graphprune.data.base import Dataset, Scaling, Split
from graphprune.data.preprocess import Preprocess
from graphprune.errors import UserError, shown

if TYPE_CHECKING:
    from torch import Tensor

KIND = "dataset"
# what reading a dataset raises whose header is not that of one; a RecursionError is a RuntimeError
_UNREADABLE = (
    ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError
)  # fmt: skip


def save(path: str | Path, dataset: Dataset, made: Mapping[str, object] | None = None) -> None:
    """Write ``dataset`` atomically as a safetensors file.

    Images made from 8-bit pixels are stored as those pixels, in a quarter of the size. It is
    checked that reading them gives the same bits. Other images are stored in float32. Of a streamed
    dataset the manifest is stored, and no image.
    """
    from torch import Tensor

    tensors: dict[str, Tensor] = {}
    folder: dict[str, object] = {}
    for name, split in dataset.splits().items():
        tensors[f"{name}.labels"] = split.labels
        if isinstance(split.images, Tensor):
            tensors[f"{name}.images"] = _encode(dataset, split.images)
        else:
            from graphprune.data.streamed.manifest import tensors_of

            tensors |= tensors_of(name, split.images)
            folder = {"root": split.images.files.root, "edge": split.images.edge}
    metadata = {
        "name": dataset.name,
        "classes": json.dumps(dataset.classes),
        "examples": json.dumps({name: len(split) for name, split in dataset.splits().items()}),
        "input_shape": json.dumps(dataset.input_shape),
        "scaling": json.dumps(None if dataset.scaling is None else vars(dataset.scaling)),
        "digest": dataset.digest,
    }
    if folder:
        metadata["folder"] = json.dumps(folder)
    checkpoints.save(path, tensors, KIND, metadata, made)


def read(
    path: str | Path, preprocess: Mapping[str, object] | None = None, workers: int = 0
) -> Dataset:
    """Read what ``save`` wrote, without any of the libraries it came from.

    preprocess: fields of a `graphprune.data.preprocess.Preprocess`, of a network that sees the
    images in another size or scaling than the dataset's own. workers: processes that read the
    images of a streamed dataset ahead; no number depends on it.

    Raises UserError, naming the file, if it is missing, not a dataset of graphprune, or damaged:
    the images and labels must have the digest noted in the file.
    """
    tensors, metadata = checkpoints.load(path, KIND)
    try:
        dataset = _decode(tensors, metadata, workers)
        damaged = dataset.digest != metadata["digest"]
    except _UNREADABLE as error:
        raise UserError(f"{path}: damaged dataset ({shown(error)}); prepare it again") from error
    if damaged:
        raise UserError(f"{path}: damaged dataset (digest differs); prepare it again")
    return Preprocess.of(preprocess).seen(dataset) if preprocess else dataset


def _encode(dataset: Dataset, images: Tensor) -> Tensor:
    import torch

    if dataset.scaling is None:
        return images
    pixels = dataset.scaling.backward(images)
    if not torch.equal(dataset.scaling.forward(pixels), images):
        raise UserError(
            f"dataset {dataset.name} has images that its scaling did not make; "
            "give it the scaling None"
        )
    return pixels


def _decode(tensors: dict[str, Tensor], metadata: dict[str, str], workers: int) -> Dataset:
    stored = json.loads(metadata["scaling"])
    scaling = None
    if stored is not None:
        scaling = Scaling(stored["levels"], tuple(stored["mean"]), tuple(stored["std"]))

    channels, height, width = json.loads(metadata["input_shape"])

    def split(name: str) -> Split:
        if "folder" in metadata and scaling:
            from graphprune.data.streamed.manifest import restored

            folder = json.loads(metadata["folder"])
            return restored(name, tensors, folder, height, scaling, workers)
        images, labels = tensors[f"{name}.images"], tensors[f"{name}.labels"]
        if scaling is None:
            return Split(images, labels)
        return Split(scaling.forward(images), labels, scaling.blank(images.shape[1]))

    return Dataset(
        metadata["name"],
        split("train"),
        split("validation"),
        split("test"),
        classes=tuple(json.loads(metadata["classes"])),
        input_shape=(channels, height, width),
        scaling=scaling,
    )
