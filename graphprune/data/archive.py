"""Datasets kept as one archive of numpy arrays, never downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from graphprune.data.base import Parts
from graphprune.data.catalog import describe
from graphprune.data.published import what_is
from graphprune.errors import UserError

if TYPE_CHECKING:
    from graphprune.data.base import Labelled

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


def read(name: str, root: str | Path, _download: bool) -> Parts:
    """Training and test part of the dataset ``name`` in ``root/name.npz``, in the file's order.

    The archive holds uint8 images ``(n, C, H, W)`` or ``(n, H, W, C)`` and integer labels
    ``(n,)`` under the names ``ARRAYS``.

    Returns
    -------
    Pixels uint8 ``(n, C, H, W)`` and labels int64 ``(n,)``, for training and for the test.

    Raises
    ------
    UserError : in one line, the file is not there, is no archive, or lacks an array or holds it in
        another shape or dtype; names the file and what is expected.
    """
    file = Path(root) / f"{name}.npz"
    expected = f"expected the arrays {', '.join(ARRAYS)}"
    if not file.is_file():
        raise UserError(f"dataset {name} is not there: no file {file}; {expected}")
    try:
        with np.load(file, allow_pickle=False) as opened:
            arrays = {key: opened[key] for key in ARRAYS}
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        reason = what_is(file) or " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"dataset {name}: {file} is damaged ({reason}); {expected}") from error
    shape, where = describe(name).input_shape, f"dataset {name}: {file}: "
    train, test = (_labelled(arrays, part, where, shape) for part in ("train", "test"))
    return Parts(train, test)


def _labelled(
    arrays: dict[str, NDArray[np.generic]], part: str, where: str, shape: tuple[int, int, int]
) -> Labelled:
    images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
    channels, height, width = shape
    last = (height, width, channels)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] not in (shape, last):
        raise UserError(
            f"{where}{part}_images is {images.dtype} {images.shape}; "
            f"expected uint8 (n, {', '.join(map(str, shape))}) or (n, {', '.join(map(str, last))})"
        )
    if not np.issubdtype(labels.dtype, np.integer) or labels.shape != (len(images),):
        raise UserError(
            f"{where}{part}_labels is {labels.dtype} {labels.shape}; "
            f"expected integers ({len(images)},)"
        )
    pixels = images if images.shape[1:] == shape else images.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(pixels, dtype=np.uint8), labels.astype(np.int64)
