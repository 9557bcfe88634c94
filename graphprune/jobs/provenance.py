"""Which version of the source made a result, and where."""

from __future__ import annotations

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
# the first line that every attempt of a job writes into its log
_STARTED = re.compile(r" started on (?P<host>[^,\s]+)(?:, \w+ job (?P<job>\S+))?$")


def source_state(folder: str | Path = ".", *parts: str) -> dict[str, str]:
    """Tags ``commit`` and ``dirty`` of the git checkout that ``folder`` lies in.

    parts: paths below ``folder`` that decide ``dirty``; without any the whole checkout does.
    Outside a checkout, or without git, ``commit`` is ``"unknown"`` and ``dirty`` is absent.
    """

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
