"""The datasets that torchvision reads, and downloads where the folder lacks them."""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from graphprune.data.base import Parts
from graphprune.data.published import Published
from graphprune.errors import UserError
from graphprune.torchvision_import import torchvision

if TYPE_CHECKING:
    from graphprune.data.base import Labelled


_log = logging.getLogger("graphprune")


@dataclass(frozen=True)
class Source:
    """A class of torchvision.datasets, and the folder below the root that it reads."""

    type: str
    folder: str


def read(name: str, root: str | Path, download: bool, kind: str, below: str) -> Parts:
    """Training part, test part and class names of the dataset ``name`` in the folder ``root``.

    A folder in torchvision's layout is used as it is, once its files are found to be the published
    ones as far as digests are published (:mod:`graphprune.data.published`). What is missing is
    downloaded by torchvision, if ``download``.

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
    source, root = Source(kind, below), Path(root)
    folder = root / source.folder
    published = Published.of(_class(source), source.folder)
    _refuse_damage(name, published, root, folder)
    if not published.are_there(root):
        if not download:
            raise UserError(
                f"dataset {name} is not in {folder}; fill that folder with torchvision's "
                f"{source.type} files, or allow the download"
            )
        _download(name, source, published, root)
    if unchecked := published.unchecked(root):
        _log.warning(
            "dataset %s: digests are published for archives only, and %s has none beside it: its "
            "form was checked, its content was not (%d files)",
            name, unchecked[0], len(unchecked),
        )  # fmt: skip
    try:
        datasets = [_open(source, root, train=train) for train in (True, False)]
        train, test = map(_arrays, datasets)
    except Exception as error:  # torchvision's readers assert, unpickle and reshape
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"dataset {name} in {folder} is damaged ({reason}); replace the files in that folder"
        ) from error
    return Parts(train, test, tuple(getattr(datasets[0], "classes", ())))


def _refuse_damage(name: str, published: Published, root: Path, folder: Path) -> None:
    for file, reason in published.damage(root):
        raise UserError(
            f"dataset {name} in {folder} is damaged: {file} is {reason}; remove it and fetch the "
            "published file"
        )


def _download(name: str, source: Source, published: Published, root: Path) -> None:
    """Let torchvision fetch the files into a folder of their own; only whole ones reach ``root``.

    Archives that lie in ``root`` already, and are the published ones, are not fetched again.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".download-", dir=root) as scratch:
            fetched = Path(scratch)
            for path in published.archives:
                if (root / path).is_file():
                    (fetched / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(root / path, fetched / path)
            try:
                for train in (True, False):
                    _open(source, fetched, train=train, download=True)
            except Exception:
                for file, reason in published.damage(fetched):
                    # torchvision says of a login page that it is corrupted
                    raise RuntimeError(f"{file.name} came as {reason}") from None
                raise
            for path in dict.fromkeys((*published.archives, *published.files)):
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                os.replace(fetched / path, root / path)
    except (RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"dataset {name} could not be downloaded; fill the folder {root / source.folder} with "
            f"torchvision's {source.type} files ({reason})"
        ) from error


def _class(source: Source) -> Any:
    return getattr(torchvision("datasets"), source.type)


def _open(source: Source, root: str | Path, *, train: bool, download: bool = False) -> Any:
    kind = _class(source)
    if hasattr(kind, "split_list"):
        return kind(str(root), split="train" if train else "test", download=download)
    # an old torchvision left converted copies, which nothing can check: the published files count
    current = type(kind.__name__, (kind,), {"_check_legacy_exist": lambda _: False})
    return current(str(root), train=train, download=download)


def _arrays(dataset: Any) -> Labelled:
    """torchvision keeps MNIST as ``(n, H, W)`` tensors, CIFAR as ``(n, H, W, C)`` arrays.

    SVHN it keeps as ``(n, C, H, W)``, and its targets as ``labels``.
    """
    pixels = np.asarray(dataset.data, dtype=np.uint8)
    if hasattr(dataset, "labels"):
        return np.ascontiguousarray(pixels), np.asarray(dataset.labels, dtype=np.int64)
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
    return pixels, np.asarray(dataset.targets, dtype=np.int64)
