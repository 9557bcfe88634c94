"""What a run that was killed leaves on this machine: its scripts, and half-written files."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from graphprune.errors import UserError
from graphprune.files import TEMPORARY
from graphprune.layout import ResultPaths

GRACE = 30.0
_MODE = re.compile(r"--mode[ =]")


def processes(folder: Path) -> Iterator[tuple[int, str]]:
    """Process ids and command lines of this user's other processes that work in ``folder``.

    >>> dict(processes(Path.cwd()))
    {4711: 'python -m snakemake --cores 2'}
    """
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            inside = entry.stat().st_uid == os.getuid() and (entry / "cwd").resolve() == folder
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if inside and int(entry.name) != os.getpid():
            yield int(entry.name), command


def is_main_snakemake(command: str) -> bool:
    """Whether a command line is that of a Snakemake that plans, not of one that runs a job.

    >>> is_main_snakemake("python -m snakemake --cores 2")
    True
    """
    # the interpreter, perhaps -m, then the program; a scheduler's jobs have --mode
    names = (Path(word).name for word in command.split()[:3])
    return "snakemake" in names and not _MODE.search(command)


def is_script(command: str) -> bool:
    """Whether a command line is that of a script that a Snakemake on this machine started."""
    return ".snakemake/scripts/" in command


def is_follower(command: str) -> bool:
    """Whether a command line is that of ``graphprune.tracking.follower``."""
    return "-m graphprune.tracking.follower " in command


def runs(pid: int) -> bool:
    """Whether a process runs; one that has ended but is not yet reaped does not.

    >>> runs(os.getpid())
    True
    """
    try:
        # the name before the state is in parentheses and may hold any letter
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (OSError, IndexError):
        return False


def end_scripts(folder: Path) -> int:
    """End the scripts that work in ``folder`` and the follower; the number of scripts.

    Raises UserError if one of them does not end.
    """
    found = list(processes(folder))
    scripts = [pid for pid, command in found if is_script(command)]
    # a follower ends by itself when Snakemake does, and first marks its runs in MLflow
    followers = [pid for pid, command in found if is_follower(command)]
    _signal(scripts, signal.SIGTERM)
    left = [*scripts, *followers]
    if not _wait(left):
        _signal(left, signal.SIGKILL)
        if not _wait(left):
            stuck = ", ".join(str(pid) for pid in left if runs(pid))
            raise UserError(
                f"{folder}: process {stuck} of a run that was killed cannot be ended; "
                "end it, then run again"
            )
    return len(scripts)


def sweep(results: str | Path) -> None:
    """Remove curves of trainings that no longer run, and files that were not written to the end.

    results: folder of all outputs. A temporary file of a process that still runs stays.
    """
    for path in Path(ResultPaths(str(results)).live).glob("*.jsonl"):
        path.unlink(missing_ok=True)
    for path in Path(results).rglob(".[0-9]*"):
        name = TEMPORARY.fullmatch(path.name)
        if name and not runs(int(name["pid"])) and path.is_file():
            path.unlink(missing_ok=True)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _wait(pids: list[int]) -> bool:
    """Wait for the end of all ``pids``, at most for the grace period."""
    deadline = time.monotonic() + GRACE
    while any(map(runs, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
