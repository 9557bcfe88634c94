"""Which version of the source made a result, and where."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

# the number of the job that a process is, by scheduler
SCHEDULERS = {
    "Slurm": "SLURM_JOB_ID",
    "PBS": "PBS_JOBID",
    "LSF": "LSB_JOBID",
    "SGE": "JOB_ID",
}
# in an archive, which has no git: the commit, and the digests of the files that git tracks there
ARCHIVED = "source.json"
# the first line that every attempt of a job writes into its log
_STARTED = re.compile(r" started on (?P<host>[^,\s]+)(?:, \w+ job (?P<job>\S+))?$")


def source_state(folder: str | Path = ".", *parts: str) -> dict[str, str]:
    """Tags ``commit`` and ``dirty`` of the git checkout that ``folder`` lies in.

    parts: paths below ``folder`` that decide ``dirty``; without any the whole checkout does.
    In an archive (`graphprune.archive`) they are those of the checkout that was archived, and
    ``dirty`` is also true after a change in the archive. Outside both, or without git, ``commit``
    is ``"unknown"`` and ``dirty`` is absent.
    """
    if archive := _archive_around(Path(folder).resolve()):
        return _state_in_archive(archive, [Path(folder, part).resolve() for part in parts])

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        dirty = git("status", "--porcelain", "--untracked-files=no", "--", *parts) != ""
    except (OSError, subprocess.CalledProcessError):
        return {"commit": "unknown"}
    return {"commit": commit, "dirty": str(dirty).lower()}


def _archive_around(folder: Path) -> Path | None:
    """The unpacked archive that ``folder`` lies in; None if a checkout is nearer."""
    for above in (folder, *folder.parents):
        if (above / ".git").exists():
            return None
        if (above / ARCHIVED).is_file():
            return above
    return None


def _state_in_archive(archive: Path, parts: list[Path]) -> dict[str, str]:
    try:
        said = json.loads((archive / ARCHIVED).read_text())
        dirty = said["dirty"] == "true" or any(
            hashlib.sha256((archive / name).read_bytes()).hexdigest() != digest
            for name, digest in said["files"].items()
            if not parts or any((archive / name).is_relative_to(part) for part in parts)
        )
        return {"commit": str(said["commit"]), "dirty": str(dirty).lower()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {"commit": "unknown"}


def place() -> str:
    """The host of this process and, if a scheduler started it, the number of its job.

    >>> place()
    'node7, Slurm job 4711'
    """
    for scheduler, variable in SCHEDULERS.items():
        if number := os.environ.get(variable):
            return f"{platform.node()}, {scheduler} job {number}"
    return platform.node()


def places(logs: Iterable[Path]) -> dict[str, str]:
    """Tags ``host`` and ``scheduler_job``: where the jobs that wrote ``logs`` ran.

    They are read from the lines ``started on``, which hold what :func:`place` returned. Of several
    attempts of a job the last counts. Several places are joined by blanks, each once. A tag without
    a value is absent.
    """
    tags: dict[str, set[str]] = {"host": set(), "scheduler_job": set()}
    for log in logs:
        starts = [started for line in log.read_text(errors="replace").splitlines()
                  if (started := _STARTED.search(line))]  # fmt: skip
        if starts:
            tags["host"].add(starts[-1]["host"])
            if starts[-1]["job"]:
                tags["scheduler_job"].add(starts[-1]["job"])
    return {tag: " ".join(sorted(names)) for tag, names in tags.items() if names}
