"""Files that are either whole or not there."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

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


def write_json(path: str | Path, value: Mapping[str, object]) -> None:
    """Write ``value`` as indented JSON, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


def write_csv(path: str | Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write ``rows`` of equal keys as CSV with a header, atomically."""
    import csv

    with atomic(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)
