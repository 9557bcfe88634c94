"""The datasets that torchvision reads, and downloads where the folder lacks them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphprune.data.base import Parts
from graphprune.errors import UserError
from graphprune.torchvision_import import torchvision

if TYPE_CHECKING:
    from graphprune.data.base import Labelled


@dataclass(frozen=True)
class Source:
    """A class of torchvision.datasets, and the folder below the root that it reads."""

    type: str
    folder: str


def read(name: str, root: str | Path, download: bool, kind: str, below: str) -> Parts:
    """Training part, test part and class names of the dataset ``name`` in the folder ``root``.

    A folder in torchvision's layout is used as it is. What is missing is downloaded by torchvision,
    if ``download``.

    kind: the class of torchvision.datasets. below: the folder below ``root`` that it reads.

    Returns
    -------
    Pixels uint8 ``(n, C, H, W)`` and labels int64 ``(n,)``, for training and for the test, in the
    order of the files; the names of the classes.

    Raises
    ------
    UserError : naming the folder to fill, if it is not there and cannot be downloaded, or its
        files are damaged.
    """
    source = Source(kind, below)
    folder = Path(root) / source.folder
    if not _is_there(source, root):
        if not download:
            raise UserError(
                f"dataset {name} is not in {folder}; fill that folder with torchvision's "
                f"{source.type} files, or allow the download"
            )
        _download(name, source, root, folder)
    try:
        datasets = [_open(source, root, train=train) for train in (True, False)]
        train, test = (_arrays(dataset.data, dataset.targets) for dataset in datasets)
    except Exception as error:  # torchvision's readers assert, unpickle and reshape
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"dataset {name} in {folder} is damaged ({reason}); replace the files in that folder"
        ) from error
    return Parts(train, test, tuple(datasets[0].classes))


def _is_there(source: Source, root: str | Path) -> bool:
    """Whether torchvision finds the files it wants; CIFAR's must have the published checksums."""
    try:
        _open(source, root, train=False)
    except RuntimeError as error:
        if "not found" in str(error):
            return False
        raise UserError(f"{Path(root) / source.folder}: {error}") from error
    except Exception:  # the files are there but damaged; `read` reports that
        return True
    return True


def _download(name: str, source: Source, root: str | Path, folder: Path) -> None:
    try:
        _open(source, root, train=True, download=True)
    except (RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"dataset {name} could not be downloaded; fill the folder {folder} with torchvision's "
            f"{source.type} files ({reason})"
        ) from error


def _open(source: Source, root: str | Path, **options: bool) -> Any:
    return getattr(torchvision("datasets"), source.type)(str(root), **options)


def _arrays(images: object, targets: object) -> Labelled:
    """torchvision keeps MNIST as ``(n, H, W)`` tensors and CIFAR as ``(n, H, W, C)`` arrays."""
    pixels = np.asarray(images, dtype=np.uint8)
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
    return pixels, np.asarray(targets, dtype=np.int64)
