"""Prepared datasets on disk: read back as they were, and refused where they are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_datasets import CIFAR, tiny

from graphprune import checkpoints, data
from graphprune.errors import UserError


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
