"""What a user wants to know about a failed job: the unit, the end of its log, how to rerun it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from graphprune.jobs.redaction import redacted
from graphprune.layout import folder_of

# what job.py writes as the first and the last line of every attempt
STARTED, FINISHED = " INFO started on ", " INFO finished after "
ERROR = " ERROR "
TAIL = 12


def tail(path: str | Path, lines: int | None = TAIL) -> list[str]:
    """The last ``lines`` lines of the last attempt in the log ``path``; empty if there is none.

    lines: None for all.

    >>> tail("results/logs/train/digits-mlp-seed0.log", 1)
    ['2026-01-01 12:00:00,000 ERROR train.learning_rate is nan']
    """
    try:
        # an earlier version may have left a secret in it
        text = redacted(Path(path).read_text(errors="replace")).splitlines()
    except OSError:
        return []
    starts = [number for number, line in enumerate(text) if STARTED in line]
    return text[starts[-1] if starts else 0 :][-lines if lines else None :]


def has_finished(logs: Iterable[str]) -> bool:
    """Whether the last attempt in every one of ``logs`` came to its end."""
    ends = [tail(path, 1) for path in logs]
    return bool(ends) and all(end and FINISHED in end[0] for end in ends)


def reason(logs: Iterable[str]) -> str:
    """The error by which the last attempt in one of ``logs`` ended; empty if the log names none.

    >>> reason(["results/logs/train/digits-mlp-seed0.log"])
    'train.learning_rate is nan'
    """
    errors = [line for path in logs for line in tail(path, 1) if ERROR in line]
    return errors[-1].partition(ERROR)[2] if errors else ""


def printed(paths: Iterable[str], rule: str) -> str:
    """The error that a job of ``rule`` printed last into one of ``paths``, a scheduler's logs.

    Empty if none did. A job prints it as ``rule wildcards: error``.

    >>> printed([".snakemake/slurm_logs/group_unit/7.log"], "prune")
    'results/digits/mlp: No space left on device; make room or make it writable, then run again'
    """
    line = re.compile(rf"{re.escape(rule)} [^:]*: (.+)")
    lines = [text for path in paths for text in tail(path, None) if line.fullmatch(text)]
    return lines[-1].partition(": ")[2] if lines else ""


def rerun(arguments: Sequence[str], output: str) -> str:
    """The command that makes ``output`` again, and nothing that does not depend on it.

    arguments: the command line of the run that failed; its options stay, its targets go.

    >>> rerun(["snakemake", "--cores", "2", "--", "a"], "results/x2/mask.safetensors")
    'snakemake --cores 2 -- results/x2/mask.safetensors'
    """
    kept = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    program = Path(kept[0])
    name = "snakemake" if program.name == "__main__.py" else program.name
    return shlex.join([name, *kept[1:], "--", output])


def describe(rule: str, outputs: Sequence[str], logs: Sequence[str], command: str) -> str:
    """Lines for the terminal: rule and unit, the end of each log, the command.

    outputs: of the job; their common folder names the unit.
    """
    folders = {folder_of(path) for path in outputs}
    lines = [f"FAILED {rule}: {', '.join(sorted(folders)) or 'no output'}"]
    for path in logs:
        end = tail(path)
        lines.append(f"  the end of {path}:" if end else f"  {path} is empty: it never started")
        lines += [f"    {line}" for line in end]
    return "\n".join([*lines, f"  to run it alone: {command}"])
