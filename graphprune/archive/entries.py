"""What an archive holds: a name, and where its bytes come from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from graphprune.files import file_digest


@dataclass(frozen=True)
class Entry:
    """One file of an archive.

    name: its path there. source: the file that it is a copy of, or its bytes. executable: whether
    it is a program.
    """

    name: str
    source: Path | bytes
    executable: bool = False

    @cached_property
    def digest(self) -> str:
        """SHA-256, hexadecimal, of its bytes."""
        if isinstance(self.source, bytes):
            return hashlib.sha256(self.source).hexdigest()
        return file_digest(self.source)

    @property
    def size(self) -> int:
        return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size

    def content(self) -> bytes:
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


def as_json(value: object) -> bytes:
    """``value`` as the bytes of a JSON file."""
    return (json.dumps(value, indent=2) + "\n").encode()
