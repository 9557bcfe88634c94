"""Artifacts on this host: the results' own files under a second name.

Results are replaced by rename and never changed in place, so that a hard link keeps the bytes that
were recorded, costs none, and may be deleted without harm to the results.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from graphprune.tracking.files import Artifact

# folders of the results whose files are written in place: every attempt of a job adds to its log
GROWING = ("logs", "benchmarks")
# how file systems say that a file cannot have a second name there
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS)

_log = logging.getLogger("graphprune")


class Links:
    """Puts files into the folders of runs.

    results: files in this folder are linked, but for logs and benchmarks. Others (a plug-in that
    its author edits, a description written for the record) are copied, and where several runs hold
    the same one, they share the copy.
    """

    def __init__(self, results: Path) -> None:
        self.results = results
        self._copies: dict[tuple[Path, str], Path] = {}
        self._refused = False

    def put(self, folder: Path, files: Iterable[Artifact], held: Mapping[str, str]) -> None:
        """Bring ``files`` below ``folder``, each at once or not at all.

        held: SHA-256 by path of the files that lie there already.
        """
        for file in files:
            place = folder / file.target
            source = file.source.resolve()
            kept = held.get(file.target) == file.sha256 and place.is_file()
            key = (source, file.sha256)
            original = source if self._lasting(source) else self._copies.get(key)
            if original is not None and (_same(original, place) or self._link(original, place)):
                continue
            if not kept:
                _replace(place, source, copy=True)
            self._copies[key] = place

    def _lasting(self, source: Path) -> bool:
        if not source.is_relative_to(self.results):
            return False
        return source.relative_to(self.results).parts[0] not in GROWING

    def _link(self, original: Path, place: Path) -> bool:
        """Make ``place`` another name of ``original``; False if the file system cannot."""
        try:
            _replace(place, original, copy=False)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            if not self._refused:
                _log.warning("%s: %s; artifacts are copied", place.parent, error.strerror)
            self._refused = True
            return False
        return True


def remove(folder: Path, targets: Iterable[str]) -> None:
    """Remove the files ``targets`` below ``folder``, and the folders that this leaves empty."""
    for target in targets:
        place = folder / target
        place.unlink(missing_ok=True)
        for parent in place.relative_to(folder).parents[:-1]:
            if (folder / parent).is_dir() and not any((folder / parent).iterdir()):
                (folder / parent).rmdir()


def write(place: Path, text: str) -> None:
    """Write ``text`` at once or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft(place)
    draft.write_text(text)
    os.replace(draft, place)


def _replace(place: Path, source: Path, copy: bool) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft(place)
    try:
        if copy:
            shutil.copyfile(source, draft)
        else:
            os.link(source, draft)
        os.replace(draft, place)
    finally:
        draft.unlink(missing_ok=True)


def _draft(place: Path) -> Path:
    # always the same name, so that the next recording clears what a killed one left
    draft = place.with_name(f".{place.name}.partial")
    draft.unlink(missing_ok=True)
    return draft


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)
