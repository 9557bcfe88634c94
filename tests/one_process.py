"""The workflow in one process: Snakemake plans the jobs, their scripts run one after the other.

    python tests/one_process.py SNAKEFILE CONFIG TARGET...    # in the working directory

A job of its own spends seconds on imports. Here the scripts get Snakemake's own job objects, so
that what rules pass and what scripts read is as in a real run. What was planned is written to
``jobs.json``: rule, wildcards, inputs, outputs and params of each job, in the order they ran; what
the stopwatch gave for each file of masks to ``latencies.json``: by batch size the seconds of the
dense, the masked and the compact network.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def run(root: Path, folder: Path, config: Path, *targets: str) -> list[dict[str, Any]]:
    """Run the jobs that make ``targets``, in a process of its own; what was planned."""
    command = [sys.executable, __file__, str(root / "Snakefile"), str(config), *targets]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=environment, check=False
    )
    assert ended.returncode == 0, (ended.stdout + ended.stderr)[-4000:]
    jobs: list[dict[str, Any]] = json.loads((folder / "jobs.json").read_text())
    return jobs


def plan(snakefile: str, config: str, targets: list[str]) -> tuple[list[Any], dict[str, Any]]:
    """Snakemake's jobs in an order in which they can run, and the completed configuration."""
    from snakemake import api
    from snakemake.settings import types

    with api.SnakemakeApi(types.OutputSettings(dryrun=True, quiet={types.Quietness.ALL})) as made:
        workflow = made.workflow(
            types.ResourceSettings(cores=1),
            types.ConfigSettings(configfiles=[Path(config)]),
            snakefile=Path(snakefile),
            workdir=Path.cwd(),
        )
        workflow.dag(types.DAGSettings(targets=set(targets))).execute_workflow("dryrun")
        planned = workflow._workflow
        jobs = [job for level in planned.dag.toposorted() for job in level]
        return [job for job in jobs if not job.rule.norun], planned.globals["config"]


def execute(job: Any, config: dict[str, Any], scripts: Path) -> None:
    """Run the script of ``job`` as Snakemake would."""
    for path in [*job.output, *job.log]:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    given = SimpleNamespace(
        rule=job.rule.name, threads=1, config=config, input=job.input, output=job.output,
        params=job.params, wildcards=job.wildcards, log=job.log, resources=job.resources,
    )  # fmt: skip
    script = scripts / Path(job.rule.script).name
    runpy.run_path(str(script), {"snakemake": given}, run_name="__main__")


@contextmanager
def stopwatch_noted(job: Any) -> Iterator[None]:
    """The job's calls of `graphprune.compaction.savings`, one for each file of masks, are noted."""
    from graphprune import compaction

    noted: list[dict[int, list[float]]] = []
    measure = compaction.savings

    def savings(*arguments: Any, **options: Any) -> Any:
        found = measure(*arguments, **options)
        times = found.latencies.items()
        noted.append({size: [one.dense, one.masked, one.compact] for size, one in times})
        return found

    compaction.savings = savings
    try:
        yield
    finally:
        compaction.savings = measure
    Path("latencies.json").write_text(json.dumps(dict(zip(job.input.masks, noted, strict=True))))


def main() -> None:
    snakefile, config, *targets = sys.argv[1:]
    jobs, completed = plan(snakefile, config, targets)
    scripts = Path(snakefile).parent / "workflow" / "scripts"
    sys.path.insert(0, str(scripts))
    said = [
        {
            "rule": job.rule.name, "wildcards": dict(job.wildcards.items()),
            "input": list(job.input), "output": list(job.output),
            "params": dict(job.params.items()),
        }
        for job in jobs
    ]  # fmt: skip
    for job in jobs:
        with stopwatch_noted(job) if job.rule.name == "latency" else nullcontext():
            execute(job, completed, scripts)
    Path("jobs.json").write_text(json.dumps(said))


if __name__ == "__main__":
    main()
