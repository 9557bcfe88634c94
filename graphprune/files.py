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

from graphprune.errors import UserError

# the entry of a JSON artifact that says what made it, and holds the digest of the others
MADE = "made"

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
    digest of ``value``.
    """
    # as it is read again: JSON has no keys but strings
    written = json.loads(json.dumps(value))
    if made is not None:
        written[MADE] = {**made, "content": _content(written)}
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(written, indent=2) + "\n")


def read_json(path: str | Path, what: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `write_json` wrote: the value, and what made it (empty where nothing was given).

    what: what the file should hold, for errors.

    Raises UserError, naming the file, if it is missing, no JSON, or changed since it was written.

    >>> metrics, made = read_json("results/.../metrics.json", "the metrics of a unit")
    """
    try:
        value = json.loads(Path(path).read_text())
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; expected {what}") from error
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: cannot be read ({reason}); expected {what}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: holds {type(value).__name__}; expected {what}")
    made = value.pop(MADE, {})
    if not isinstance(made, dict) or made.get("content", _content(value)) != _content(value):
        raise UserError(f"{path}: was changed after it was written; remove it and run again")
    return value, made


def _content(value: Mapping[str, object]) -> str:
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
