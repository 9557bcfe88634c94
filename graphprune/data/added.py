"""The datasets of plug-ins: what their functions return, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphprune.data.base import Parts
from graphprune.errors import UserError, shown

if TYPE_CHECKING:
    from graphprune.data.base import Labelled

SPLITS = ("train", "test")


def parts_of(
    name: str,
    load: Callable[[Path], Mapping[str, tuple[Any, Any]]],
    folder: Path,
    input_shape: tuple[int, ...],
) -> Parts:
    """What ``load(folder)`` of the dataset ``name`` returns, as arrays.

    Raises UserError, naming the dataset and the split, unless there is a "train" and a "test" split
    of images ``(n, *input_shape)``, both uint8 or both finite floating point, and of integer labels
    ``(n,)``.
    """
    loaded = load(folder)
    if not isinstance(loaded, Mapping) or set(loaded) != set(SPLITS):
        keys = sorted(map(str, loaded)) if isinstance(loaded, Mapping) else type(loaded).__name__
        raise UserError(
            f'dataset {name}: load returned {keys}; expected {{"train": (images, labels), '
            '"test": (images, labels)}'
        )
    train, test = (_labelled(name, split, loaded[split], input_shape) for split in SPLITS)
    if train[0].dtype != test[0].dtype:
        raise UserError(
            f"dataset {name}: train has images of {train[0].dtype}, test of {test[0].dtype}; "
            "expected uint8 in both or floating point in both"
        )
    return Parts(train, test)


def _labelled(name: str, split: str, given: Any, input_shape: tuple[int, ...]) -> Labelled:
    where = f"dataset {name}: split {split}"
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise UserError(f"{where} is {type(given).__name__}; expected (images, labels)")
    try:
        images, labels = (np.asarray(part) for part in given)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{where}: no arrays ({type(error).__name__}: {reason:.200})") from error
    shape = ", ".join(map(str, input_shape))
    if images.ndim != 4 or images.shape[1:] != tuple(input_shape) or not len(images):
        raise UserError(f"{where}: images have shape {images.shape}; expected (n, {shape})")
    if images.dtype != np.uint8:
        if not np.issubdtype(images.dtype, np.floating):
            raise UserError(
                f"{where}: images have dtype {images.dtype}; expected uint8 or floating point"
            )
        with np.errstate(over="ignore"):
            images = images.astype(np.float32)
        if not np.isfinite(images).all():
            raise UserError(
                f"{where}: images hold NaN or infinity as float32; expected finite numbers"
            )
    if not np.issubdtype(labels.dtype, np.integer) or labels.shape != (len(images),):
        raise UserError(
            f"{where}: labels are {labels.dtype} {shown(labels.shape)}; "
            f"expected integers ({len(images)},)"
        )
    return np.ascontiguousarray(images), labels.astype(np.int64)
