"""A store whose results folder was copied or moved: its artifacts are those beside it.

MLflow keeps the address of artifacts as an absolute path. In a copied folder the record would read
from the artifacts of the original, and write into them.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from graphprune.errors import UserError
from graphprune.tracking.address import ARTIFACTS, DATABASE, database_of, local_folder
from graphprune.tracking.calls import locked

# tag of an experiment: the folder in which its store lay when the addresses were written
STORE_TAG = "graphprune.store"
# where MLflow keeps addresses of artifacts
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("trace_tags", "value"),
)
_LOCATIONS = """
    SELECT DISTINCT artifact_location, tag.value FROM experiments
    LEFT JOIN experiment_tags AS tag
    ON tag.experiment_id = experiments.experiment_id AND tag.key = ?
    WHERE artifact_location IS NOT NULL ORDER BY artifact_location
"""
# what SQLite says of a file that MLflow has made no store of yet
_NO_STORE = ("no such table", "file is not a database")

_log = logging.getLogger("graphprune")


def relocate(results: str | Path, uri: str, seconds: float = 60.0) -> None:
    """Let the store ``uri`` name the artifacts beside it, if it lies in the folder ``results``.

    Only addresses below the folder of artifacts that lay beside the store are changed, all in one
    transaction, and the log says so. A store elsewhere is left as it is. seconds: how long to wait
    for a database that another process holds.

    Raises UserError where the store cannot be written.
    """
    folder, database = Path(results).resolve(), database_of(uri)
    if database is None or not database.is_file() or database.parent.resolve() != folder:
        return
    try:
        if not _moved(database, folder, seconds):
            return
        with locked(folder, f"relocation {uri}"):
            for old in _moved(database, folder, seconds):
                _rewrite(database, old, folder, seconds)
                _log.warning(
                    "%s was copied or moved from %s; its record now names its own artifacts",
                    folder, old,
                )  # fmt: skip
    except (OSError, sqlite3.Error) as error:
        raise UserError(
            f"{database}: the record may name the artifacts of another folder, and it cannot be "
            f"changed ({error}); make it writable"
        ) from error


def noted(uri: str) -> dict[str, str]:
    """The tag of an experiment that says where its store ``uri`` lies, if that is a file."""
    database = database_of(uri)
    return {} if database is None else {STORE_TAG: database.parent.resolve().as_uri()}


def _moved(database: Path, here: Path, seconds: float) -> list[Path]:
    """The folders in which this store has lain before, as far as its addresses still name them."""
    with closing(_opened(database, "ro", seconds)) as connection:
        try:
            rows = connection.execute(_LOCATIONS, (STORE_TAG,)).fetchall()
        except sqlite3.DatabaseError as error:
            if any(sign in str(error) for sign in _NO_STORE):
                return []
            raise
    return sorted({old for location, note in rows for old in _old_folder(location, note, here)})


def _old_folder(location: str, note: str | None, here: Path) -> Iterator[Path]:
    artifacts = local_folder(location)
    if artifacts is None or artifacts.name != ARTIFACTS:
        return
    old = artifacts.parent
    if old == here or (os.path.exists(old) and os.path.samefile(old, here)):
        return
    if note is not None:
        # artifacts that never lay beside this store belong where they are
        if local_folder(note) == old:
            yield old
    # stores of graphprune before 0.3 have no note; artifacts beside no store were put there
    elif os.path.isfile(old / DATABASE) or not os.path.isdir(artifacts):
        yield old


def _rewrite(database: Path, old: Path, new: Path, seconds: float) -> None:
    roots = [(f"{old}/{ARTIFACTS}", f"{new}/{ARTIFACTS}")]
    roots += [((old / ARTIFACTS).as_uri(), (new / ARTIFACTS).as_uri())]
    with closing(_opened(database, "rw", seconds)) as connection, connection:
        for table, column in _COLUMNS:
            names = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            for root, replacement in roots if column in names else []:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                    f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                    (replacement, len(root) + 1, root, len(root) + 1, f"{root}/"),
                )
        connection.execute(
            "UPDATE experiment_tags SET value = ? WHERE key = ? AND value = ?",
            (new.as_uri(), STORE_TAG, old.as_uri()),
        )


def _opened(database: Path, mode: str, seconds: float) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(database))}?mode={mode}", timeout=seconds, uri=True)
