"""torchvision's folders: used once they are checked, named where they are missing or damaged."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from data_files import cifar_files, idx, mnist_arrays, publish_files, svhn_arrays, svhn_files
from numpy.typing import NDArray

from graphprune import data
from graphprune.errors import UserError
from graphprune.torchvision_import import torchvision


def write_mnist(folder: Path) -> dict[str, NDArray[np.uint8]]:
    folder.mkdir(parents=True)
    arrays = mnist_arrays()
    for name, array in arrays.items():
        (folder / name).write_bytes(idx(array))
    return arrays


@pytest.mark.parametrize(("name", "kind"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_mnist_folder_is_used_as_it_is(name: str, kind: str, tmp_path: Path) -> None:
    written = write_mnist(tmp_path / kind / "raw")
    dataset = data.load(name, root=tmp_path, download=False)
    assert [len(split) for split in dataset.splits().values()] == [50, 10, 20]
    # the published test images, in their order
    pixels = torch.from_numpy(written["t10k-images-idx3-ubyte"])
    assert torch.equal(dataset.test.images[:, 0], pixels.float() / 255)
    assert dataset.test.labels.tolist() == written["t10k-labels-idx1-ubyte"].tolist()
    # of the six a class in the training part, floor(0.1 * 6 + 1/2) = 1 is validation
    assert dataset.validation.labels.sort().values.tolist() == list(range(10))
    assert len(dataset.classes) == 10


@pytest.mark.parametrize(
    ("name", "kind", "classes", "n"),
    [("cifar10", "CIFAR10", 10, 20), ("cifar100", "CIFAR100", 100, 1000)],
)
def test_cifar_folder_is_used_as_it_is(
    name: str, kind: str, classes: int, n: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = cifar_files(kind, classes, n)
    publish_files(monkeypatch, kind, files)
    cls = getattr(torchvision("datasets"), kind)
    folder = tmp_path / cls.base_folder
    folder.mkdir()
    for file, content in files.items():
        (folder / file).write_bytes(content)
    dataset = data.load(name, root=tmp_path, download=False)
    total = n * len(cls.train_list)
    assert [len(split) for split in dataset.splits().values()] == [total * 9 // 10, total // 10, n]
    assert dataset.num_classes == classes
    # standardised by channel, with the constants of the catalogue
    rows = pickle.loads(files[cls.test_list[0][0]])["data"]
    described = data.describe(name)
    for channel, plane in enumerate(rows.reshape(n, 3, 32, 32).transpose(1, 0, 2, 3)):
        mean, std = described.mean[channel], described.std[channel]
        expected = (plane / 255 - mean) / std
        np.testing.assert_allclose(dataset.test.images[:, channel].numpy(), expected, atol=1e-5)


def test_svhn_files_are_used_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file, content in svhn_files(monkeypatch).items():
        (tmp_path / file).write_bytes(content)
    dataset = data.load("svhn", root=tmp_path, download=False)
    assert [len(split) for split in dataset.splits().values()] == [90, 10, 100]
    pixels, labels = svhn_arrays()["test_32x32.mat"]
    assert dataset.test.labels.tolist() == labels.tolist()
    described = data.describe("svhn")
    mean, std = (np.array(v)[:, None, None] for v in (described.mean, described.std))
    np.testing.assert_allclose(dataset.test.images, (pixels / 255 - mean) / std, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("svhn", ""),
        ("mnist", "MNIST/raw"),
        ("fashion_mnist", "FashionMNIST/raw"),
        ("cifar10", "cifar-10-batches-py"),
        ("cifar100", "cifar-100-python"),
    ],
)
def test_missing_folder_is_named(
    name: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both with the download forbidden and where there is no network."""
    import socket

    def no_network(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    for download, reason in ((False, "allow the download"), (True, "no network")):
        with pytest.raises(UserError) as caught:
            data.load(name, root=tmp_path, download=download)
        message = str(caught.value)
        assert str(tmp_path / folder) in message
        assert reason in message
        assert "\n" not in message


def test_damaged_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "MNIST" / "raw"
    write_mnist(folder)
    images = folder / "train-images-idx3-ubyte"
    for content in (b"", images.read_bytes()[:-5], gzip.compress(images.read_bytes())):
        images.write_bytes(content)
        with pytest.raises(UserError, match="damaged") as caught:
            data.load("mnist", root=tmp_path, download=False)
        assert str(folder) in str(caught.value)


def test_labels_out_of_range(tmp_path: Path) -> None:
    folder = tmp_path / "MNIST" / "raw"
    write_mnist(folder)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.full(20, 11, dtype=np.uint8)))
    with pytest.raises(UserError, match=r"labels 11\.\.11; allowed: 0\.\.9"):
        data.load("mnist", root=tmp_path, download=False)
