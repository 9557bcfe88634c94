"""A dataset of one's own: from which of two photographs is this tile of 16 x 16 pixels?

    python -m graphprune.check examples/dataset.py

The photographs come with scikit-learn (a temple in China and a flower), so nothing is downloaded.
The tiles do not overlap, and every fifth column of them is the test split. It is a small task for
trying things out: neighbouring tiles look alike, so its accuracies say little about other images.
"""

import numpy as np

import graphprune

SIDE = 16


@graphprune.register_dataset(
    "photo_tiles",
    input_shape=(3, SIDE, SIDE),
    num_classes=2,
    classes=("china", "flower"),
    examples=2080,
)
def load(folder):  # noqa: ARG001
    """Both splits: images uint8 (n, 3, 16, 16), which become numbers in [0, 1], and labels (n,).

    folder: ``data.folder`` of the configuration, for datasets that are read from files.
    """
    # imported here, for every job loads this file and only one of them needs the images
    from sklearn.datasets import load_sample_images

    splits = {"train": [], "test": []}
    for label, photo in enumerate(load_sample_images().images):
        rows, columns = (size // SIDE for size in photo.shape[:2])
        tiles = photo[: rows * SIDE, : columns * SIDE].reshape(rows, SIDE, columns, SIDE, 3)
        # to (columns, rows, channels, height, width)
        tiles = tiles.transpose(2, 0, 4, 1, 3)
        tested = np.arange(columns) % 5 == 4
        for name, chosen in (("train", ~tested), ("test", tested)):
            images = tiles[chosen].reshape(-1, 3, SIDE, SIDE)
            splits[name].append((images, np.full(len(images), label)))
    return {
        name: tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        for name, parts in splits.items()
    }
