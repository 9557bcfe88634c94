"""A dataset in one archive of arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphprune import data
from graphprune.data.splits import stratified
from graphprune.errors import UserError


def write_subset(folder: Path, channels_last: bool = False, **changes: object) -> Path:
    random = np.random.RandomState(3)
    arrays: dict[str, object] = {}
    for part, n in (("train", 100), ("test", 10)):
        images = random.randint(0, 256, (n, 3, 32, 32)).astype(np.uint8)
        arrays[f"{part}_images"] = images.transpose(0, 2, 3, 1) if channels_last else images
        arrays[f"{part}_labels"] = (np.arange(n) % 10).astype(np.uint8)
    arrays.update(changes)
    file = folder / "cifar10_subset.npz"
    np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
    return file


def test_subset_is_split_and_scaled_as_cifar10(tmp_path: Path) -> None:
    with np.load(write_subset(tmp_path)) as opened:
        raw = dict(opened)
    dataset = data.load("cifar10_subset", root=tmp_path, download=False)
    assert [len(split) for split in dataset.splits().values()] == [90, 10, 10]
    assert dataset.classes[:2] == ("airplane", "automobile")
    assert dataset.test.labels.tolist() == raw["test_labels"].tolist()
    cifar = data.describe("cifar10")
    mean, std = (np.array(v).reshape(3, 1, 1) for v in (cifar.mean, cifar.std))
    expected = (raw["test_images"] / 255 - mean) / std
    np.testing.assert_allclose(dataset.test.images.numpy(), expected, atol=1e-5)
    validation, train = stratified(raw["train_labels"].astype(np.int64), [0.1])
    assert dataset.train.labels.tolist() == raw["train_labels"][train].tolist()
    assert dataset.validation.labels.tolist() == raw["train_labels"][validation].tolist()
    write_subset(tmp_path, channels_last=True)
    assert data.load("cifar10_subset", root=tmp_path).digest == dataset.digest


def test_subset_missing_or_damaged_is_named(tmp_path: Path) -> None:
    file = tmp_path / "cifar10_subset.npz"

    def message() -> str:
        with pytest.raises(UserError) as caught:
            data.load("cifar10_subset", root=tmp_path)
        assert str(file) in str(caught.value)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "expected the arrays train_images, train_labels, test_images" in message()
    write_subset(tmp_path)
    whole = file.read_bytes()
    for content in (b"", b"no archive", whole[: len(whole) // 2]):
        file.write_bytes(content)
        assert "damaged" in message()
    flipped = bytearray(whole)
    flipped[1000] ^= 1
    file.write_bytes(flipped)
    assert "damaged" in message()
    write_subset(tmp_path, test_labels=None)
    assert "test_labels" in message()
    write_subset(tmp_path, train_images=np.zeros((100, 3, 32, 32), dtype=np.float32))
    assert "train_images is float32 (100, 3, 32, 32); expected uint8 (n, 3, 32, 32) or" in message()
    write_subset(tmp_path, train_labels=np.zeros(99, dtype=np.uint8))
    assert "train_labels is uint8 (99,); expected integers (100,)" in message()
    write_subset(tmp_path, train_labels=np.full(100, 10, dtype=np.uint8))
    with pytest.raises(UserError, match=r"labels 10\.\.10; allowed: 0\.\.9"):
        data.load("cifar10_subset", root=tmp_path)
