"""A finished run as one file: configuration, code, lock, tables, masks and figures.

entries: what is packed. sources: the workflow's own files. results: those of the run. crate: the
metadata, an RO-Crate. zipped: the same entries are the same bytes.

The archive re-runs and verifies by itself: what was not packed (images, weights) is named in it
with the digest of its content, and a run makes it again.
"""

from __future__ import annotations

from pathlib import Path

from graphprune.archive import crate, results, sources, zipped
from graphprune.archive.entries import Entry
from graphprune.errors import UserError

__all__ = ["pack"]


def pack(folder: str | Path, file: str | Path, *, weights: bool = False) -> list[Entry]:
    """Write the results in ``folder`` and the source that makes them into the ZIP file ``file``.

    weights: also the dense and the fine-tuned networks, and scores that were kept. Images of
    datasets are never packed.

    The same results, sources and options give the same bytes; no path of this machine is in them.

    Returns what was packed.

    Raises UserError for a folder without results, a file among them that cannot be read, and a
    package without its checkout.

    >>> pack("results", "results.zip")
    """
    try:
        ordered = _entries(folder, weights)
    except OSError as error:
        raise UserError(f"{error.filename or folder}: {error.strerror}") from error
    zipped.write(file, ordered)
    return ordered


def _entries(folder: str | Path, weights: bool) -> list[Entry]:
    """All that is packed; the metadata, which describes the others, comes last."""
    entries = {entry.name: entry for entry in results.entries(folder, weights)}
    tree, state = sources.entries()
    for entry in tree:
        if entry.name in entries and entries[entry.name].content() != entry.content():
            raise UserError(f"{entry.name}: a plug-in of this name is not that of the checkout")
        entries[entry.name] = entry
    ordered = [entries[name] for name in sorted(entries)]
    metadata = crate.metadata(ordered, state)
    ordered.append(Entry(crate.FILE, metadata))
    return ordered
