"""Which image files a folder holds, of which class and split; nothing is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graphprune.errors import UserError

# what torchvision's ImageFolder takes for an image
ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
# paths below the root and labels, in the order of the classes and then of the paths
Labelled = list[tuple[str, int]]


@dataclass(frozen=True)
class Listing:
    """The files of a folder, ``root``. test, validation: None where it has no such split."""

    root: Path
    classes: tuple[str, ...]
    train: Labelled
    validation: Labelled | None = None
    test: Labelled | None = None


def folder(name: str, path: Path) -> Listing:
    """The images below ``path``, in torchvision's layout: a folder a class, named after it.

    The class folders lie in ``train`` and in ``test`` or ``val`` (or both), or in ``path`` itself.
    Where there is no ``test``, ``val`` is the test split, as for ImageNet.

    Raises UserError, naming the folder: it is not there, a class has no image, or the splits have
    different classes.
    """
    where = f"dataset {name}: "
    if not path.is_dir():
        raise UserError(f"{where}no folder {path}; expected class folders in it or in {path}/train")
    if not (path / "train").is_dir():
        classes = _classes(path, where)
        return Listing(path, classes, _files(path, "", classes, where))
    classes = _classes(path / "train", where)
    found = {}
    for split in ("test", "val"):
        if (path / split).is_dir():
            _refuse_others(path, split, classes, where)
            found[split] = _files(path, split, classes, where)
    train = _files(path, "train", classes, where)
    if "test" in found:
        return Listing(path, classes, train, found.get("val"), found["test"])
    return Listing(path, classes, train, test=found.get("val"))


def tiny_imagenet(name: str, path: Path) -> Listing:
    """The images of ``tiny-imagenet-200.zip``, unpacked to ``path``; ``val`` is the test split.

    Raises UserError as `folder` does, and for a line in the list of labels that is none.
    """
    where = f"dataset {name}: "
    annotations = path / "val" / "val_annotations.txt"
    if not (path / "train").is_dir() or not annotations.is_file():
        raise UserError(
            f"{where}no {annotations}, or no {path}/train; unpack tiny-imagenet-200.zip there"
        )
    classes = _classes(path / "train", where)
    labels = {label: number for number, label in enumerate(classes)}
    test: Labelled = []
    for number, line in enumerate(annotations.read_text().splitlines(), start=1):
        file, _, rest = line.partition("\t")
        label = rest.partition("\t")[0]
        if label not in labels:
            raise UserError(
                f"{where}{annotations}, line {number}: class {label!r} is none of train"
            )
        test.append((f"val/images/{file}", labels[label]))
    return Listing(path, classes, _files(path, "train", classes, where), test=test)


def _classes(path: Path, where: str) -> tuple[str, ...]:
    names = tuple(sorted(entry.name for entry in os.scandir(path) if entry.is_dir()))
    if len(names) < 2:
        raise UserError(f"{where}{path} has {len(names)} class folders; expected at least 2")
    return names


def _refuse_others(path: Path, split: str, classes: tuple[str, ...], where: str) -> None:
    found, expected = set(_classes(path / split, where)), set(classes)
    for names, have, lack in (
        (found - expected, split, "train"),
        (expected - found, "train", split),
    ):
        if names:
            raise UserError(
                f"{where}{path / have} has the class folder {min(names)}, {path / lack} has not; "
                "expected the same classes in every split"
            )


def _files(path: Path, split: str, classes: tuple[str, ...], where: str) -> Labelled:
    files: Labelled = []
    for label, name in enumerate(classes):
        of_class = sorted(_images(path / split / name))
        if not of_class:
            raise UserError(
                f"{where}class folder {path / split / name} holds no image; expected at least one "
                f"of {', '.join(ENDINGS)}"
            )
        files += [(os.path.relpath(file, path), label) for file in of_class]
    return files


def _images(path: Path) -> Iterator[str]:
    for below, _, names in os.walk(path, followlinks=True):
        yield from (os.path.join(below, name) for name in names if name.lower().endswith(ENDINGS))
