#!/usr/bin/env python
"""Resume after Snakemake was killed on a cluster or another machine: clean up, finish the run.

    python workflow/recover.py --workflow-profile workflow/profiles/slurm

All arguments are Snakemake's. Without a cluster, ``snakemake`` itself goes on where it was killed
(workflow/rules/interruptions.smk). But jobs on a cluster outlive a Snakemake that was killed, and a
second one would submit them again: two writers for one file. So, in this order: refuse if a
Snakemake still runs in this folder; let the profile's ``cancel-orphans`` cancel the jobs that carry
this folder's prefix and wait for their end; end scripts left on this machine; unlock; run.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

# the package beside this workflow, installed or not
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from graphprune.errors import UserError
from graphprune.jobs.leftovers import end_scripts, is_main_snakemake, processes
from graphprune.jobs.presence import FOLDER, forget_all


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
    try:
        ended = end_scripts(here)
    except UserError as error:
        print(f"recover: {error}", file=sys.stderr)
        return 1
    if ended:
        print("recover: ended", ended, "scripts left on this machine")
    snakemake = [sys.executable, "-m", "snakemake"]
    unlocked = subprocess.run([*snakemake, "--unlock", *arguments], check=False)
    if unlocked.returncode:
        return unlocked.returncode
    forget_all(here / FOLDER)
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
