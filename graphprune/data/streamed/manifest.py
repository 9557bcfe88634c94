"""The manifest of a streamed dataset: its files with their digests, in the fixed splits."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from graphprune.data.base import Dataset, Scaling, Split
from graphprune.data.splits import stratified
from graphprune.data.streamed.images import Files, StreamedImages, broken
from graphprune.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from graphprune.data.catalog import Description
    from graphprune.data.streamed.listing import Labelled, Listing

TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1


def prepared(name: str, description: Description, listing: Listing) -> Dataset:
    """The dataset ``name`` of the files in ``listing``, each read once.

    What has no test split gives it a fifth of each class, and what has no validation split a tenth
    of each class of the training images (`splits.stratified`).

    Raises UserError, naming the file or the split: a broken image, another number of classes than
    described, a split without an image.
    """
    if len(listing.classes) != description.num_classes:
        raise UserError(
            f"dataset {name}: {listing.root} has {len(listing.classes)} classes; expected "
            f"{description.num_classes}"
        )
    scaling = Scaling(description.levels, description.mean, description.std)
    splits = {}
    for split, labelled in _splits(listing).items():
        if not labelled:
            raise UserError(
                f"dataset {name}: split {split} is empty; a class of 5 training images gives one "
                "to validation"
            )
        names = [file for file, _ in labelled]
        files = Files.of(str(listing.root), names, [_digest(listing.root / file) for file in names])
        labels = torch.tensor([label for _, label in labelled])
        splits[split] = _split(files, labels, description.input_shape[1], description.edge, scaling)
    return Dataset(
        name,
        **splits,
        classes=listing.classes,
        input_shape=description.input_shape,
        scaling=scaling,
    )


def tensors_of(split: str, images: StreamedImages) -> dict[str, Tensor]:
    """What is stored of the images of a split, beside its labels."""
    files = images.files
    parts = {"names": files.names, "ends": files.ends, "digests": files.digests}
    return {f"{split}.{part}": tensor for part, tensor in parts.items()}


def restored(
    split: str,
    tensors: Mapping[str, Tensor],
    folder: Mapping[str, object],
    size: int,
    scaling: Scaling,
    workers: int,
) -> Split:
    """The split that `tensors_of` took apart. folder: its ``root`` and ``edge``."""
    names, ends, digests = (tensors[f"{split}.{part}"] for part in ("names", "ends", "digests"))
    files = Files(str(folder["root"]), names, ends, digests)
    edge = int(str(folder["edge"]))
    return _split(files, tensors[f"{split}.labels"], size, edge, scaling, workers)


def _split(
    files: Files, labels: Tensor, size: int, edge: int, scaling: Scaling, workers: int = 0
) -> Split:
    images = StreamedImages(files, torch.arange(len(labels)), size, edge, scaling, workers)
    return Split(images, labels, scaling.blank(3))


def _splits(listing: Listing) -> dict[str, Labelled]:
    train, validation, test = listing.train, listing.validation, listing.test
    shares = {"test": TEST_SHARE} if test is None else {}
    shares |= {"validation": VALIDATION_SHARE} if validation is None else {}
    found = {"train": train, "validation": validation, "test": test}
    if shares:
        labels = np.array([label for _, label in train], dtype=np.int64)
        parts = stratified(labels, list(shares.values()))
        for split, chosen in zip([*shares, "train"], parts, strict=True):
            found[split] = [train[index] for index in chosen]
    return {split: labelled or [] for split, labelled in found.items()}


def _digest(path: Path) -> bytes:
    from PIL import Image

    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            # an eighth of a JPEG is decoded in a third of the time, and damage shows as well
            image.draft("RGB", (1, 1))
            image.load()
    except Exception as error:  # Pillow raises what it likes
        raise UserError(broken(path, error)) from error
    return hashlib.sha256(content).digest()
