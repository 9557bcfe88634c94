"""Whether files are the published ones: their digests, and what they are if they are not.

torchvision publishes an MD5 for each archive, and for each file of CIFAR and SVHN. The idx files
that MNIST's and Fashion-MNIST's archives hold have none: they are compared with their archive where
it lies beside them, else only their form is checked.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_log = logging.getLogger("graphprune")

_PAGE = (b"<!doctype html", b"<html", b"<?xml", b"<head")
_IDX_UINT8 = 8
# rank of the arrays in idx files, by a part of the file's name
_RANKS = {"idx1": 1, "idx3": 3}


@dataclass(frozen=True)
class Published:
    """What torchvision knows of the files of a dataset.

    archives, files: path below the root and MD5; files are what the archives hold, and have no
    MD5 (None) where only the archive has one.
    """

    archives: dict[Path, str]
    files: dict[Path, str | None]

    @classmethod
    def of(cls, kind: Any, folder: str) -> Published:
        """Of ``kind``, a class of torchvision.datasets that reads ``folder`` below the root."""
        below = Path(folder)
        if hasattr(kind, "tgz_md5"):
            files = {**dict(kind.train_list + kind.test_list)}
            files[kind.meta["filename"]] = kind.meta["md5"]
            archives = {Path(kind.filename): str(kind.tgz_md5)}
            return cls(archives, {below / name: md5 for name, md5 in files.items()})
        if hasattr(kind, "split_list"):
            # SVHN's files are fetched as they are; its "extra" split is not used
            used = [kind.split_list[split] for split in ("train", "test")]
            files = {below / name: str(md5) for _, name, md5 in used}
            return cls(dict(files), files)
        archives = {below / Path(name).name: str(md5) for name, md5 in kind.resources}
        return cls(archives, {path.with_suffix(""): None for path in archives})

    def are_there(self, root: Path) -> bool:
        """Whether all files are in ``root``."""
        return all((root / path).is_file() for path in self.files)

    def damage(self, root: Path) -> Iterator[tuple[Path, str]]:
        """Each file in ``root`` that is not the published one, and what it is; missing ones not."""
        for path, md5 in {**self.archives, **self.files}.items():
            file = root / path
            if not file.is_file():
                continue
            if md5 is not None:
                reason = _other_than(file, md5)
            elif (archive := self._archive(path)) and (root / archive).is_file():
                reason = _other_than_in(file, root / archive)
            else:
                reason = _not_idx(file)
            if reason:
                yield file, reason

    def unchecked(self, root: Path) -> list[Path]:
        """The files in ``root`` of which only the form can be checked."""
        return [
            root / path
            for path, md5 in self.files.items()
            if md5 is None and not ((a := self._archive(path)) and (root / a).is_file())
        ]

    def _archive(self, path: Path) -> Path | None:
        archive = path.with_name(f"{path.name}.gz")
        return archive if archive in self.archives else None


def what_is(file: Path) -> str:
    """What ``file`` is, if that can be seen from its bytes and explains why it is of no use.

    >>> what_is(Path("data/cifar-10-python.tar.gz"))
    'a web page'
    """
    with file.open("rb") as stream:
        start = stream.read(1024)
    if not start:
        return "empty"
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGE):
        return "a web page"
    if start.startswith(b"\x1f\x8b"):
        try:
            for _ in _unpacked(file):
                pass
        except EOFError:
            return f"a part of a gzip file, which ends after {file.stat().st_size} bytes"
        except (OSError, zlib.error):
            return "a damaged gzip file"
    return ""


def _unpacked(archive: Path) -> Iterator[bytes]:
    with gzip.open(archive, "rb") as stream:
        while block := stream.read(2**20):
            yield block


def _other_than(file: Path, md5: str) -> str:
    with file.open("rb") as stream:
        # what the publishers chose; it tells damage, not malice
        found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return "" if found == md5 else what_is(file) or f"another file: MD5 {found}, published {md5}"


def _other_than_in(file: Path, archive: Path) -> str:
    """Why ``file`` is not what ``archive`` holds; an archive that is damaged is told by itself."""
    try:
        with file.open("rb") as stream:
            for block in _unpacked(archive):
                if stream.read(len(block)) != block:
                    return what_is(file) or f"not what {archive.name} holds"
            return "" if not stream.read(1) else f"longer than what {archive.name} holds"
    except (OSError, EOFError, zlib.error):
        return ""


def _not_idx(file: Path) -> str:
    """Why ``file`` is no idx file of bytes: 0, 0, type, rank; the sizes in big-endian order."""
    rank = next(rank for part, rank in _RANKS.items() if part in file.name)
    with file.open("rb") as stream:
        head = stream.read(4 + 4 * rank)
    if len(head) < 4 + 4 * rank or head[:4] != bytes((0, 0, _IDX_UINT8, rank)):
        return what_is(file) or f"no idx file of bytes with {rank} axes"
    sizes = struct.unpack(f">{rank}I", head[4:])
    expected, found = len(head), file.stat().st_size
    bytes_of = 1
    for size in sizes:
        bytes_of *= size
    expected += bytes_of
    if found != expected:
        return f"an idx file of {found} bytes; expected {expected} for {sizes}"
    return ""
