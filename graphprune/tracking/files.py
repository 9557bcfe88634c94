"""Artifacts: which local file goes where, and the folder it is uploaded to a server from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from graphprune.errors import UserError

Folders = Mapping[str, Sequence[Path]]


@dataclass(frozen=True)
class Artifact:
    """A local file ``source`` and the ``target`` path it has among a run's artifacts."""

    source: Path
    target: str
    sha256: str


def artifacts(unit: str, groups: Iterable[Folders]) -> dict[str, Artifact]:
    """The files of all ``groups`` by target; a file that is named twice counts once.

    Raises UserError, naming ``unit``, where a file cannot be read or two would be one target.
    """
    by_target: dict[str, Artifact] = {}
    for target, source in targets(groups):
        held = by_target.get(target)
        if held is None:
            by_target[target] = Artifact(source, target, _sha256(unit, source))
        elif held.source != source:
            raise UserError(f"{unit}: {held.source} and {source} would both be {target}")
    return by_target


def targets(groups: Iterable[Folders]) -> Iterator[tuple[str, Path]]:
    """The path of each file among the artifacts, and the local file."""
    for group in groups:
        for folder, paths in group.items():
            for path in map(Path, paths):
                yield f"{folder}/{path.name}".lstrip("/"), path


@contextmanager
def staged(files: Iterable[Artifact], texts: Mapping[str, str]) -> Iterator[Path]:
    """A folder laid out as the run's artifacts: links to ``files``, and ``texts`` by target.

    MLflow uploads a folder in one call, to a server several files at a time.
    """
    with TemporaryDirectory(prefix="graphprune-") as name:
        folder = Path(name)
        for file in files:
            place = folder / file.target
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(file.source.resolve())
        for target, text in texts.items():
            (folder / target).write_text(text)
        yield folder


def _sha256(unit: str, source: Path) -> str:
    try:
        with source.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{unit}: artifact {source} cannot be read: {error.strerror}") from error
