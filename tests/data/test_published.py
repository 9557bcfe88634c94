"""Files are used if they are the published ones; login pages and halves of files are recognised."""

from __future__ import annotations

import gzip
import hashlib
import logging
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from data_files import (
    cifar_files,
    idx,
    mnist_files,
    publish_archives,
    publish_files,
    svhn_files,
)

from graphprune import data
from graphprune.data.published import Published, what_is
from graphprune.errors import UserError
from graphprune.torchvision_import import torchvision

PAGE = b"\n  <!DOCTYPE html><html><body>Please log in</body></html>"
RAW = Path("FashionMNIST/raw")
IMAGES = "train-images-idx3-ubyte"


def refusal(name: str, root: Path, download: bool = False) -> str:
    with pytest.raises(UserError) as caught:
        data.load(name, root=root, download=download)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda _: b"", "is empty"),
        (lambda _: PAGE, "is a web page"),
        (half, "is an idx file of 23528 bytes; expected 47056 for (60, 28, 28)"),
        (lambda content: content + b"\0", "is an idx file of 47057 bytes"),
        (gzip.compress, "is no idx file of bytes with 3 axes"),
        (lambda content: half(gzip.compress(content)), "is a part of a gzip file"),
        (lambda content: b"\0\0\x0d" + content[3:], "is no idx file of bytes with 3 axes"),
        (lambda content: content[:7], "is no idx file"),
    ],
)
def test_a_raw_file_without_its_archive_is_checked_in_form(
    tmp_path: Path, change: Callable[[bytes], bytes], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    files = mnist_files()
    write(tmp_path / RAW, files)
    with caplog.at_level(logging.WARNING, "graphprune"):
        data.load("fashion_mnist", root=tmp_path, download=False)
    (record,) = caplog.records
    assert f"{tmp_path / RAW / IMAGES} has none beside it" in record.getMessage()
    write(tmp_path / RAW, {IMAGES: change(files[IMAGES])})
    message = refusal("fashion_mnist", tmp_path)
    assert f"{tmp_path / RAW / IMAGES} {what}" in message
    assert message.endswith("; remove it and fetch the published file")


@pytest.fixture
def archives(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The archives of a Fashion-MNIST whose digests torchvision knows."""
    packed = {f"{name}.gz": gzip.compress(content) for name, content in mnist_files().items()}
    publish_archives(monkeypatch, "FashionMNIST", packed)
    return packed


def test_a_raw_file_is_compared_with_the_archive_beside_it(
    tmp_path: Path, archives: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    files = mnist_files()
    write(tmp_path / RAW, files | archives)
    data.load("fashion_mnist", root=tmp_path, download=False)
    assert not caplog.records
    changed = bytearray(files[IMAGES])
    changed[-1] ^= 1
    write(tmp_path / RAW, {IMAGES: bytes(changed)})
    assert f"{IMAGES} is not what {IMAGES}.gz holds" in refusal("fashion_mnist", tmp_path)
    write(tmp_path / RAW, {IMAGES: files[IMAGES] + b"\0"})
    assert f"{IMAGES} is longer than what {IMAGES}.gz" in refusal("fashion_mnist", tmp_path)
    write(tmp_path / RAW, {IMAGES: PAGE})
    assert f"{IMAGES} is a web page" in refusal("fashion_mnist", tmp_path)


@pytest.mark.parametrize("download", [False, True])
@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda _: PAGE, "is a web page"),
        (half, "is a part of a gzip file, which ends after"),
        (lambda _: gzip.compress(b"others"), "is another file: MD5 "),
        (lambda content: content[:-8] + bytes(8), "is a damaged gzip file"),
        (lambda _: b"", "is empty"),
    ],
)
def test_an_archive_that_is_not_the_published_one_is_named(
    tmp_path: Path, archives: dict[str, bytes], change: Callable[[bytes], bytes], what: str,
    download: bool,
) -> None:  # fmt: skip
    write(tmp_path / RAW, archives | {f"{IMAGES}.gz": change(archives[f"{IMAGES}.gz"])})
    before = contents(tmp_path)
    assert f"{IMAGES}.gz {what}" in refusal("fashion_mnist", tmp_path, download)
    assert contents(tmp_path) == before


class Site:
    """Stands for the publishers' servers: what torchvision fetches from an address."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> None:
        self.files = files
        self.asked: list[str] = []
        utils = torchvision("datasets.utils")
        monkeypatch.setattr(utils, "_get_redirect_url", lambda url, **_: url)
        monkeypatch.setattr(utils, "_urlretrieve", self.fetch)

    def fetch(self, url: str, filename: str) -> None:
        self.asked.append(Path(url).name)
        Path(filename).write_bytes(self.files[Path(url).name])


def test_archives_are_fetched_checked_and_kept(
    tmp_path: Path, archives: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(monkeypatch, archives)
    # one of them is there already
    write(tmp_path / RAW, {f"{IMAGES}.gz": archives[f"{IMAGES}.gz"]})
    data.load("fashion_mnist", root=tmp_path)
    assert sorted(site.asked) == sorted(set(archives) - {f"{IMAGES}.gz"})
    expected = {str(RAW / name): content for name, content in (mnist_files() | archives).items()}
    assert contents(tmp_path) == expected
    assert [path.name for path in tmp_path.iterdir()] == ["FashionMNIST"]


@pytest.mark.parametrize(
    ("change", "what"),
    [(lambda _: PAGE, "a web page"), (half, "a part of a gzip file"), (lambda _: b"", "empty")],
)
def test_what_was_fetched_and_is_not_the_archive_leaves_nothing(
    tmp_path: Path, archives: dict[str, bytes], monkeypatch: pytest.MonkeyPatch,
    change: Callable[[bytes], bytes], what: str,
) -> None:  # fmt: skip
    last = "t10k-labels-idx1-ubyte.gz"
    Site(monkeypatch, archives | {last: change(archives[last])})
    message = refusal("fashion_mnist", tmp_path, download=True)
    assert f"({last} came as {what}" in message
    assert str(tmp_path / RAW) in message
    assert list(tmp_path.iterdir()) == []


def test_cifar_is_fetched_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = cifar_files("CIFAR10", 10, 20)
    publish_files(monkeypatch, "CIFAR10", files)
    source = tmp_path / "source/cifar-10-batches-py"
    write(source, files)
    packed = tmp_path / "packed.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(source, source.name)
    kind = torchvision("datasets").CIFAR10
    monkeypatch.setattr(kind, "tgz_md5", hashlib.md5(packed.read_bytes()).hexdigest())
    site = Site(monkeypatch, {kind.filename: PAGE})
    root = tmp_path / "data"
    assert f"({kind.filename} came as a web page)" in refusal("cifar10", root, download=True)
    assert list(root.iterdir()) == []
    site.files[kind.filename] = packed.read_bytes()
    assert len(data.load("cifar10", root=root).test) == 20
    assert sorted(path.name for path in root.iterdir()) == [kind.base_folder, kind.filename]


def test_a_file_of_cifar_with_another_digest_is_never_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = cifar_files("CIFAR10", 10, 20)
    publish_files(monkeypatch, "CIFAR10", files)
    folder = tmp_path / "cifar-10-batches-py"

    class Attack:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "pwned",))

    write(folder, files | {"data_batch_3": pickle.dumps({"data": Attack()})})
    for download in (False, True):
        message = refusal("cifar10", tmp_path, download)
        assert f"{folder / 'data_batch_3'} is another file: MD5 " in message
    assert not (tmp_path / "pwned").exists()


def test_a_web_page_in_place_of_a_subset_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "cifar10_subset.npz").write_bytes(PAGE)
    assert "cifar10_subset.npz is damaged (a web page)" in refusal("cifar10_subset", tmp_path)


def test_copies_that_an_old_torchvision_converted_are_not_read(tmp_path: Path) -> None:
    write(tmp_path / RAW, mnist_files())
    expected = data.load("fashion_mnist", root=tmp_path, download=False).digest
    write(tmp_path / "FashionMNIST/processed", {"training.pt": b"old", "test.pt": b"old"})
    assert data.load("fashion_mnist", root=tmp_path, download=False).digest == expected


def test_svhn_is_fetched_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = svhn_files(monkeypatch)
    first, last = sorted(files)
    site = Site(monkeypatch, files | {last: PAGE})
    assert f"({last} came as a web page)" in refusal("svhn", tmp_path, download=True)
    assert list(tmp_path.iterdir()) == []
    # what is there already is not fetched again
    write(tmp_path, {first: files[first]})
    site.files, site.asked = files, []
    assert len(data.load("svhn", root=tmp_path).test) == 100
    assert site.asked == [last]
    assert contents(tmp_path) == files
    write(tmp_path, {last: files[last][:-9]})
    message = refusal("svhn", tmp_path)
    assert f"{tmp_path / last} is another file: MD5 " in message


@pytest.mark.parametrize("kind", ["MNIST", "FashionMNIST", "CIFAR10", "CIFAR100", "SVHN"])
def test_torchvision_publishes_a_digest_for_all_that_is_fetched(kind: str) -> None:
    published = Published.of(getattr(torchvision("datasets"), kind), "below")
    digests = [*published.archives.values(), *filter(None, published.files.values())]
    assert all(len(digest) == 32 and int(digest, 16) for digest in digests)
    assert len(published.archives) == {"CIFAR10": 1, "CIFAR100": 1, "SVHN": 2}.get(kind, 4)
    assert len(digests) == {"CIFAR10": 8}.get(kind, 4)


def test_what_a_good_file_is(tmp_path: Path) -> None:
    for name, content in {"a": idx(np.zeros(3, np.uint8)), "b": gzip.compress(b"all")}.items():
        (tmp_path / name).write_bytes(content)
        assert what_is(tmp_path / name) == ""
