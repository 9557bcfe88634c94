"""A folder of small JPEGs in torchvision's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("blue", "green", "red")
BOTH = ("train", "test")


def write_image(path: Path, seed: int, colour: int, width: int = 30, height: int = 22) -> None:
    """Noise in which one channel is brighter."""
    pixels = np.random.RandomState(seed).randint(0, 120, (height, width, 3))
    pixels[..., 2 - colour] += 100
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def write_folder(
    root: Path, splits: tuple[str, ...] = ("train", "test"), a_class: int = 10
) -> None:
    """``a_class`` images of three classes in each of the splits; "" writes them into the root."""
    for part, split in enumerate(splits):
        for label, name in enumerate(CLASSES):
            for number in range(a_class):
                file = root / split / name / f"{number:03d}.jpg"
                write_image(file, 1000 * part + 100 * label + number, label, 24 + number)
