"""Files as the publishers of datasets make them, and digests as torchvision knows them."""

from __future__ import annotations

import hashlib
import io
import pickle
import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat

from graphprune.torchvision_import import torchvision


def idx(array: NDArray[np.uint8]) -> bytes:
    """LeCun's format: magic 0x0000 08 (uint8) rank, sizes in big-endian order, the bytes."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def mnist_arrays(n_train: int = 60, n_test: int = 20) -> dict[str, NDArray[np.uint8]]:
    """Pixels ``(n, 28, 28)`` and labels ``(n,)`` by the names of their files."""
    random = np.random.RandomState(1)
    arrays = {}
    for part, n in (("train", n_train), ("t10k", n_test)):
        pixels = random.randint(0, 256, (n, 28, 28)).astype(np.uint8)
        arrays[f"{part}-images-idx3-ubyte"] = pixels
        arrays[f"{part}-labels-idx1-ubyte"] = (np.arange(n) % 10).astype(np.uint8)
    return arrays


def mnist_files() -> dict[str, bytes]:
    return {name: idx(array) for name, array in mnist_arrays().items()}


def publish_files(monkeypatch: pytest.MonkeyPatch, kind: str, files: dict[str, bytes]) -> None:
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


def publish_archives(
    monkeypatch: pytest.MonkeyPatch, kind: str, archives: dict[str, bytes]
) -> None:
    """Make ``archives`` what torchvision takes for the published ones."""
    cls = getattr(torchvision("datasets"), kind)
    resources = [(name, hashlib.md5(content).hexdigest()) for name, content in archives.items()]
    monkeypatch.setattr(cls, "resources", resources)


def svhn_arrays(n: int = 100) -> dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Pixels ``(n, 3, 32, 32)`` and labels ``(n,)`` by the names of SVHN's files."""
    random = np.random.RandomState(3)
    return {
        f"{split}_32x32.mat": (
            random.randint(0, 256, (n, 3, 32, 32)).astype(np.uint8),
            (np.arange(n) % 10).astype(np.uint8),
        )
        for split in ("train", "test")
    }


def svhn_files(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The files of `svhn_arrays`, whose digests torchvision knows; the digit 0 has the label 10."""
    files = {}
    for name, (pixels, labels) in svhn_arrays().items():
        stream = io.BytesIO()
        published = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
        savemat(stream, {"X": pixels.transpose(2, 3, 1, 0), "y": published})
        files[name] = stream.getvalue()
    known = torchvision("datasets").SVHN.split_list
    entries = {
        split: [url, name, hashlib.md5(files[name]).hexdigest() if name in files else md5]
        for split, (url, name, md5) in known.items()
    }
    monkeypatch.setattr(torchvision("datasets").SVHN, "split_list", entries)
    return files
