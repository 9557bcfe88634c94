"""What ``snakemake --dry-run`` would do, read from what it prints."""

import re
from collections import Counter
from dataclasses import dataclass

from workflow_runs import snakemake


@dataclass(frozen=True)
class Job:
    """A planned job: its rule, its wildcards, and why it would run."""

    rule: str
    wildcards: dict[str, str]
    reason: str


def planned(root, folder, *arguments):
    """The jobs that a dry run of the Snakefile in ``folder`` plans, none where nothing is to do."""
    run = snakemake(root, folder, "--dry-run", *arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    if "Nothing to be done" in run.stdout + run.stderr:
        return []
    blocks = re.split(r"^ *(?:local)?rule (\w+):\n", run.stdout, flags=re.MULTILINE)
    jobs = [
        Job(rule, _wildcards(text), _line(text, "reason"))
        for rule, text in zip(blocks[1::2], blocks[2::2], strict=True)
    ]
    assert Counter(job.rule for job in jobs) == _counted(run.stdout)
    return jobs


def _line(text, key):
    found = re.search(rf"^ +{key}: (.*)$", text, flags=re.MULTILINE)
    return found[1] if found else ""


def _wildcards(text):
    pairs = _line(text, "wildcards")
    return dict(pair.split("=") for pair in pairs.split(", ")) if pairs else {}


def _counted(text):
    rows = re.findall(r"^(\w+) +(\d+)$", text.rpartition("Job stats:")[2], flags=re.MULTILINE)
    return {rule: int(count) for rule, count in rows if rule != "total"}
