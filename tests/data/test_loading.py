"""Datasets loaded by name: sizes, pixels and order of their splits."""

from __future__ import annotations

import pytest
import torch

from graphprune import data
from graphprune.errors import UserError

SIZES = {"digits": (1259, 179, 359), "mnist5k": (3500, 500, 1000)}


@pytest.fixture(scope="module")
def embedded() -> dict[str, data.Dataset]:
    return {name: data.load(name) for name in SIZES}


@pytest.mark.parametrize("name", SIZES)
def test_embedded_data(name: str, embedded: dict[str, data.Dataset]) -> None:
    dataset = embedded[name]
    described = data.describe(name)
    assert tuple(len(split) for split in dataset.splits().values()) == SIZES[name]
    # fixes the split, its order and the pixels for every machine
    assert dataset.digest == described.digest != ""
    assert dataset.input_shape == described.input_shape
    assert dataset.num_classes == described.num_classes == 10
    seen: set[bytes] = set()
    for split in dataset.splits().values():
        assert split.images.shape == (len(split), *described.input_shape)
        assert (split.images.dtype, split.labels.dtype) == (torch.float32, torch.int64)
        assert 0 == split.images.min() < split.images.max() == 1
        share = torch.bincount(split.labels) / len(split)
        assert (share - 0.1).abs().max() < 0.01
        seen |= {image.numpy().tobytes() for image in split.images}
    # no image lies in two splits (nor twice in the same one)
    assert len(seen) == sum(SIZES[name])


def test_a_prefix_is_a_sample(embedded: dict[str, data.Dataset]) -> None:
    for dataset in embedded.values():
        for split in dataset.splits().values():
            assert len(split.labels[:100].unique()) == 10


def test_other_images_in_the_installed_package_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn import datasets

    bunch = datasets.load_digits()
    bunch.images[7, 3, 3] += 1
    monkeypatch.setattr(datasets, "load_digits", lambda: bunch)
    with pytest.raises(UserError, match=r"^dataset digits has the digest [0-9a-f]{64}; expected"):
        data.load("digits")
