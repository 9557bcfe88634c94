#!/usr/bin/env python
"""Resume after Snakemake was killed: end what it left running, unlock, and finish the run.

    python workflow/recover.py --workflow-profile workflow/profiles/slurm

All arguments are Snakemake's. Jobs on a cluster outlive a Snakemake that was killed, and a second
one would submit them again: two writers for one file. So, in this order: refuse if a Snakemake
still runs in this folder; let the profile's ``cancel-orphans`` cancel the jobs that carry this
folder's prefix and wait for their end; end scripts that were left on this machine; unlock; run.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

GRACE = 30.0


def main(arguments: list[str]) -> int:
    here = Path.cwd()
    if running := [pid for pid, command in processes(here) if is_main_snakemake(command)]:
        print(f"recover: Snakemake still runs in {here}: process {running[0]}", file=sys.stderr)
        return 1
    cancel = profile_of(arguments) / "cancel-orphans"
    if cancel.exists():
        done = subprocess.run([cancel, prefix_of(here)], check=False)
        if done.returncode:
            return done.returncode
    end([pid for pid, command in processes(here) if is_script(command)])
    snakemake = [sys.executable, "-m", "snakemake"]
    unlocked = subprocess.run([*snakemake, "--unlock", *arguments], check=False)
    if unlocked.returncode:
        return unlocked.returncode
    sys.stdout.flush()
    return subprocess.run([*snakemake, *arguments], check=False).returncode


def prefix_of(folder: Path) -> str:
    """What the names of the jobs submitted from ``folder`` begin with, as the profiles make it."""
    return "graphprune-" + hashlib.sha256(str(folder).encode()).hexdigest()[:8]


def profile_of(arguments: list[str]) -> Path:
    """The folder given by ``--workflow-profile`` or ``--profile``; without one, no real folder."""
    for place, argument in enumerate(arguments):
        option, _, value = argument.partition("=")
        if option in ("--workflow-profile", "--profile"):
            return Path(value or "".join(arguments[place + 1 : place + 2]))
    return Path("/nonexistent")


def processes(folder: Path) -> Iterator[tuple[int, str]]:
    """Process ids and command lines of this user's other processes that work in ``folder``."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            inside = entry.stat().st_uid == os.getuid() and (entry / "cwd").resolve() == folder
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if inside and int(entry.name) != os.getpid():
            yield int(entry.name), command


def is_main_snakemake(command: str) -> bool:
    words = command.split()
    # the interpreter, perhaps -m, then the program; a scheduler's jobs have --mode
    return "snakemake" in (Path(word).name for word in words[:3]) and "--mode" not in words


def is_script(command: str) -> bool:
    return ".snakemake/scripts/" in command


def end(pids: list[int]) -> None:
    """Ask processes to end; after a grace period kill those that still run."""
    if not pids:
        return
    print("recover: ending", len(pids), "scripts left on this machine")
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            try:
                os.kill(pid, signal_number)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + GRACE
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        else:
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
