"""Files that are either whole or not there, and JSON that says what made it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from graphprune.errors import UserError, shown

# the entry of a JSON artifact that says what made it, and holds the digest of the others
MADE = "made"
# the entry that holds the digest of the entries beside it
SEAL = "seal"

# the names of the temporary files of `atomic`
TEMPORARY = re.compile(r"\.(?P<pid>\d+)\..+")


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path``, renamed to ``path`` when the block ends without an error.

    The temporary name keeps the suffixes of ``path``, because some writers choose their format by
    them. After an error the temporary file is removed and ``path`` is not changed.

    >>> with atomic("table.csv") as temporary:
    ...     temporary.write_text("a,b\\n")
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{os.getpid()}.{final.name}")
    try:
        yield temporary
        os.replace(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(
    path: str | Path, value: Mapping[str, object], made: Mapping[str, object] | None = None
) -> None:
    """Write ``value`` as indented JSON, atomically.

    made: what made it (`graphprune.provenance`), stored as the entry ``made`` together with a
    digest of ``value`` and one of the entry itself.
    """
    # as it is read again: JSON has no keys but strings
    written = json.loads(json.dumps(value))
    if made is not None:
        written = digested(written, made)
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(written, indent=2) + "\n")


def digested(
    value: Mapping[str, object], made: Mapping[str, object] | None = None
) -> dict[str, object]:
    """``value`` with the entry ``made``, which holds a digest of the others and of itself."""
    return {**value, MADE: sealed({**(made or {}), "content": json_digest(value)})}


def read_json(
    path: str | Path, what: str, needs_made: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `write_json` wrote: the value, and what made it (empty where nothing was given).

    what: what the file should hold, for errors. needs_made: refuse a file without the entry
    ``made``, of which nobody knows whether it was changed.

    Raises UserError, naming the file, if it is missing, no JSON, or changed since it was written.

    >>> metrics, made = read_json("results/.../metrics.json", "the metrics of a unit")
    """
    try:
        value = json.loads(Path(path).read_text())
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; expected {what}") from error
    except (OSError, ValueError, RecursionError) as error:
        reason = shown(str(error), 200)
        raise UserError(f"{path}: cannot be read ({reason}); expected {what}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: holds {type(value).__name__}; expected {what}")
    if MADE not in value:
        if needs_made:
            raise UserError(f"{path}: does not say what made it; expected {what}")
        return value, {}
    made = value.pop(MADE)
    if not is_sealed(made) or made.get("content") != json_digest(value):
        raise UserError(f"{path}: was changed after it was written; remove it and run again")
    del made[SEAL]
    return value, made


def sealed(entries: Mapping[str, object]) -> dict[str, object]:
    """``entries`` and their digest.

    >>> is_sealed(sealed({"kind": "mask"}))
    True
    """
    return {**entries, SEAL: json_digest(entries)}


def is_sealed(entries: object) -> bool:
    """Whether ``entries`` are what `sealed` made."""
    if not isinstance(entries, dict):
        return False
    others = {key: value for key, value in entries.items() if key != SEAL}
    return entries.get(SEAL) == json_digest(others)


def json_digest(value: Mapping[str, object]) -> str:
    """SHA-256, hexadecimal, of ``value`` as JSON; the order of its keys plays no part."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def file_digest(path: str | Path) -> str:
    """SHA-256, hexadecimal, of the bytes in the file ``path``."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_csv(path: str | Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write ``rows`` of equal keys as CSV with a header, atomically."""
    import csv

    with atomic(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
