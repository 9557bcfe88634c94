"""ZIP files whose bytes depend on nothing but their entries."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from graphprune.archive.entries import Entry
from graphprune.errors import UserError
from graphprune.files import atomic

# the first time that a ZIP file knows
_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3


def write(file: str | Path, entries: Iterable[Entry]) -> None:
    """Write ``entries`` atomically, sorted by name, without times, owners or places.

    Raises UserError, naming a file that cannot be read or written.
    """
    try:
        with atomic(file) as temporary, ZipFile(temporary, "w", ZIP_DEFLATED) as archive:
            for entry in sorted(entries, key=lambda one: one.name):
                info = ZipInfo(entry.name, _TIME)
                info.create_system, info.compress_type = _UNIX, ZIP_DEFLATED
                info.external_attr = (0o100755 if entry.executable else 0o100644) << 16
                info.file_size = entry.size
                with archive.open(info, "w") as inside, _opened(entry) as source:
                    shutil.copyfileobj(source, inside, 2**20)
    except OSError as error:
        raise UserError(f"{error.filename or file}: {error.strerror}") from error


def _opened(entry: Entry) -> io.BufferedIOBase:
    if isinstance(entry.source, bytes):
        return io.BytesIO(entry.source)
    return entry.source.open("rb")
