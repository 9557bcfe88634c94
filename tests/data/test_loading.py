"""Datasets loaded by name: sizes, pixels and order of their splits."""

from __future__ import annotations

import pytest
import torch

from graphprune import data

# also the digests of the data: they fix the split, its order and the pixels for every machine
DIGESTS = {
    "digits": "5a8c53b00cc4dd471723aeb848b4cae2dc047fef229671dba080bd51b64ab56b",
    "mnist5k": "061098b546440a57c67e8d8caa69d4e0339febc4fbfb0749e32a4b874d6bd7b8",
}
SIZES = {"digits": (1259, 179, 359), "mnist5k": (3500, 500, 1000)}


@pytest.fixture(scope="module")
def embedded() -> dict[str, data.Dataset]:
    return {name: data.load(name) for name in DIGESTS}


@pytest.mark.parametrize("name", DIGESTS)
def test_embedded_data(name: str, embedded: dict[str, data.Dataset]) -> None:
    dataset = embedded[name]
    described = data.describe(name)
    assert tuple(len(split) for split in dataset.splits().values()) == SIZES[name]
    assert dataset.digest == DIGESTS[name]
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
