"""Which version of the source made a result."""

from __future__ import annotations

import subprocess
from pathlib import Path


def source_state(folder: str | Path = ".") -> dict[str, str]:
    """Tags ``commit`` and ``dirty`` of the git checkout that ``folder`` lies in.

    Outside a checkout, or without git, ``commit`` is ``"unknown"`` and ``dirty`` is absent.
    """

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        dirty = git("status", "--porcelain", "--untracked-files=no") != ""
    except (OSError, subprocess.CalledProcessError):
        return {"commit": "unknown"}
    return {"commit": commit, "dirty": str(dirty).lower()}
