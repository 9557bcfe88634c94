"""Prepared datasets on disk: read back as they were, and refused where they are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from graphprune import checkpoints, data
from graphprune.errors import UserError


def tiny(n: int = 12, scaling: data.Scaling | None = None) -> data.Dataset:
    """Three splits of random pixels of two classes."""
    generator = torch.Generator().manual_seed(0)

    def split() -> data.Split:
        pixels = torch.randint(0, 256, (n, 3, 4, 5), generator=generator).to(torch.uint8)
        images = scaling.forward(pixels) if scaling else pixels / 7
        return data.Split(images, torch.arange(n) % 2)

    return data.Dataset("tiny", split(), split(), split(), ("no", "yes"), (3, 4, 5), scaling)


CIFAR = data.Scaling(255, data.describe("cifar10").mean, data.describe("cifar10").std)


@pytest.mark.parametrize("scaling", [None, data.Scaling(), data.Scaling(16), CIFAR])
def test_stored_dataset_is_the_same(scaling: data.Scaling | None, tmp_path: Path) -> None:
    dataset = tiny(scaling=scaling)
    data.save(tmp_path / "tiny.safetensors", dataset)
    again = data.read(tmp_path / "tiny.safetensors")
    for name, split in dataset.splits().items():
        assert torch.equal(again.splits()[name].images, split.images)
        assert torch.equal(again.splits()[name].labels, split.labels)
    assert (again.name, again.classes) == (dataset.name, dataset.classes)
    assert (again.input_shape, again.scaling) == (dataset.input_shape, dataset.scaling)
    assert again.digest == dataset.digest
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.safetensors"]


@pytest.mark.parametrize("scaling", [data.Scaling(), CIFAR])
def test_every_pixel_value_survives_the_scaling(scaling: data.Scaling) -> None:
    pixels = torch.arange(256).to(torch.uint8).view(256, 1, 1, 1).expand(256, 3, 1, 1)
    assert torch.equal(scaling.backward(scaling.forward(pixels)), pixels)


def test_digest_sees_every_part() -> None:
    dataset = tiny(scaling=data.Scaling())
    image, label = dataset.train.images.clone(), dataset.train.labels.clone()
    image[0, 0, 0, 0] += 1 / 255
    label[0] = 1 - label[0]
    others = [
        replace(dataset, train=data.Split(image, dataset.train.labels)),
        replace(dataset, train=data.Split(dataset.train.images, label)),
        replace(dataset, train=dataset.validation, validation=dataset.train),
    ]
    assert len({dataset.digest, *(other.digest for other in others)}) == 4


def test_images_that_are_not_of_the_scaling_are_refused(tmp_path: Path) -> None:
    wrong = replace(tiny(scaling=None), scaling=data.Scaling())
    with pytest.raises(UserError, match="tiny has images that its scaling did not make"):
        data.save(tmp_path / "tiny.safetensors", wrong)
    assert not list(tmp_path.iterdir())


def test_damaged_or_foreign_file_is_named(tmp_path: Path) -> None:
    good = tmp_path / "good.safetensors"
    data.save(good, tiny(scaling=data.Scaling()))
    content = good.read_bytes()
    flipped = bytearray(content)
    flipped[-1] ^= 1
    checkpoints.save(tmp_path / "foreign", {"w": torch.ones(2)}, "checkpoint")
    checkpoints.save(tmp_path / "hollow", {"w": torch.ones(2)}, "dataset")
    bad = {"short": content[:-9], "flipped": bytes(flipped), "text": b"not a dataset"}
    for name, damaged in bad.items():
        (tmp_path / name).write_bytes(damaged)
    for name in (*bad, "foreign", "hollow", "missing"):
        with pytest.raises(UserError) as caught:
            data.read(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)
