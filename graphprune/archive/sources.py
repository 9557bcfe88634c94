"""The workflow's own files, as git tracks them, and which version of them it is."""

from __future__ import annotations

import json
import os
import subprocess

from graphprune.archive.entries import Entry, as_json
from graphprune.errors import UserError
from graphprune.jobs.provenance import ARCHIVED, source_state
from graphprune.provenance.code import PACKAGE

ROOT = PACKAGE.parent
# a run needs none of them
_LEFT_OUT = ("tests/", "benchmarks/", "docs/images/", ".")
# where no commit says when it was made: the first day that a ZIP file knows
_NO_DATE = "1980-01-01"


def entries() -> tuple[list[Entry], dict[str, str]]:
    """The files, with `ARCHIVED` among them, and commit, dirty and date of the version.

    Raises UserError if the package lies in no checkout and in no archive.
    """
    tracked = [name for name in _tracked() if not name.startswith(_LEFT_OUT)]
    files = [
        Entry(name, ROOT / name, os.access(ROOT / name, os.X_OK))
        for name in sorted(tracked)
        if (ROOT / name).is_file()
    ]
    state = {**source_state(PACKAGE, ".", "../workflow"), "date": _date()}
    said = {**state, "files": {entry.name: entry.digest for entry in files}}
    return [*files, Entry(ARCHIVED, as_json(said))], state


def _tracked() -> list[str]:
    if listed := _git("ls-files", "-z"):
        return listed.rstrip("\0").split("\0")
    try:
        return list(json.loads((ROOT / ARCHIVED).read_text())["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{ROOT}: neither a checkout with git nor an unpacked archive; only from one of them "
            "can the workflow be packed"
        ) from error


def _date() -> str:
    """The day of the commit."""
    if date := _git("show", "-s", "--format=%cs").strip():
        return date
    try:
        return str(json.loads((ROOT / ARCHIVED).read_text())["date"])
    except (OSError, ValueError, KeyError, TypeError):
        return _NO_DATE


def _git(*arguments: str) -> str:
    """What git says of the checkout; nothing where ``ROOT`` is none."""
    if not (ROOT / ".git").exists():
        return ""
    try:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
