"""Folders to run the workflow in, the scheduler they use, and what is asked of the results."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import yaml
from mlflow import MlflowClient

from graphprune.layout import MARKER, ResultPaths

ROOT = Path(__file__).resolve().parents[2]
SLURM = str(Path(__file__).with_name("slurm.sh"))
# asked for by nobody but the tests: quick looks at short jobs
SITE = {"jobs": 20, "chains_per_job": 5, "cores_per_job": 1, "check_seconds": 6}
COLUMNS = "JobID:|,State:|,NodeList:|,MinMemory:|,tres-per-job:|,WorkDir:400"
SLURM_PROFILE = ["--workflow-profile", "workflow/profiles/slurm"]
LOCAL_PROFILE = ["--workflow-profile", "workflow/profiles/default", "--cores", "2"]
# of the small preset: every unit and its record, without figures of the whole
RECORD = ["--", "results/tracking/digits-mlp-seed0.json"]


@dataclass(frozen=True)
class Cluster:
    """The scheduler's commands, as a user of the login node has them."""

    folder: Path

    def ask(self, *command):
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def jobs(self, folder, states="all"):
        """Id, state, node, memory and GPUs of the jobs that were submitted from ``folder``."""
        asked = self.ask("squeue", "-h", f"--states={states}", "-O", COLUMNS)
        rows = [line.split("|") for line in asked.splitlines()]
        return [tuple(map(str.strip, row[:5])) for row in rows if row[5].strip() == str(folder)]

    def crash(self, node):
        subprocess.run([SLURM, "crash", node], check=True)

    def boot(self, node):
        subprocess.run([SLURM, "boot", str(self.folder), node], check=True)


class Workspace:
    """A folder like a checkout of its own: the same workflow, other results."""

    def __init__(self, folder, config, **site):
        self.folder = folder
        folder.mkdir(parents=True)
        for name in ("Snakefile", "workflow", "graphprune"):
            (folder / name).symlink_to(ROOT / name)
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        (folder / "site.yaml").write_text(yaml.safe_dump({**SITE, **site}))
        self.results = folder / config.get("results", "results")
        self.terminal = folder / "terminal.txt"

    def start(self, *arguments, program=("-m", "snakemake")):
        """Start the program in the background; what it prints goes to ``terminal``."""
        environment = {
            **os.environ,
            "GRAPHPRUNE_SITE": "site.yaml",
            "MLFLOW_TRACKING_URI": "",
            "OMP_NUM_THREADS": "1",
        }
        with self.terminal.open("a") as terminal:
            return subprocess.Popen(
                [sys.executable, *program, *map(str, arguments)],
                cwd=self.folder,
                env=environment,
                stdout=terminal,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, *arguments, program=("-m", "snakemake"), fails=False):
        process = self.start(*arguments, program=program)
        try:
            status = process.wait()
        finally:
            kill(process)
        assert (status != 0) == fails, self.printed()[-6000:]
        return self.printed()

    def printed(self):
        return self.terminal.read_text()

    def units(self):
        """What was measured of every unit but by a clock: path -> row."""

        def timeless(row):
            return {key: row[key] for key in row if not key.startswith("seconds")}

        found = {}
        for path in self.results.glob("*/*/seed*/**/metrics.json"):
            row = timeless(json.loads(path.read_text()))
            row["report"] = timeless(row["report"])
            # digests of the seconds, too; of the rest it names the recipe
            row["made"] = row["made"]["recipe"]
            found[str(path.relative_to(self.results))] = row
        return found

    def metrics(self):
        """The rows of the table without what a clock measured, as text."""
        lines = (self.results / "metrics.csv").read_text().splitlines()
        names = lines[0].split(",")
        kept = [at for at, name in enumerate(names) if not name.startswith(("seconds", "latency"))]
        return [",".join(line.split(",")[at] for at in kept) for line in lines]

    def files(self):
        """Every result that no clock has a part in: path -> what is said of it, and its bytes."""
        suffixes = ("mask.safetensors", "finetuned.safetensors")
        found = (path for path in self.results.glob("*/*/seed*/**/*") if path.name in suffixes)
        return {str(path.relative_to(self.results)): tensors(path.read_bytes()) for path in found}

    def logs(self):
        """The log of every job; live.log is the follower's, a process and not a job."""
        found = (self.results / "logs").rglob("*.log")
        return {path: path.read_text() for path in found if path.name != "live.log"}

    def left_over(self):
        """Temporary files of writers that never came to their end."""
        own = (MARKER, Path(ResultPaths("").batches).name)
        hidden = (path for path in self.results.rglob(".*") if path.name not in own)
        return [path for path in hidden if path.is_file()]

    def recorded(self):
        """Unit and artifacts of every run in MLflow that is not deleted, sorted."""
        client = MlflowClient(f"sqlite:///{self.results}/mlflow.db")
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        rows = []
        for run in client.search_runs(experiments, max_results=5000):
            folder = Path(run.info.artifact_uri.removeprefix("file://"))
            files = (path for path in folder.rglob("*") if path.is_file())
            artifacts = sorted(str(path.relative_to(folder)) for path in files)
            rows.append((run.data.tags["graphprune.unit"], artifacts))
        return sorted(rows)


def kill(process):
    """End a run and its scripts on this machine, if it has not ended; not its jobs."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def tensors(content):
    """Header and data of a safetensors file, whose library writes the header in any order."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def writers(log):
    """The processes that wrote the lines of a log, in order, each as often as it began anew."""
    found = re.findall(r"^\S+ \S+ \[(\d+)\] ", log, flags=re.MULTILINE)
    return [pid for at, pid in enumerate(found) if at == 0 or found[at - 1] != pid]


def wait_for(what, seconds=120.0):
    """The first true value of ``what()``, asked again and again."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := what():
            return value
        time.sleep(0.3)
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what.__doc__ or what}")


def assert_nothing_lost_nothing_twice(workspace, reference):
    """The results of ``reference``, each made by one writer at a time, and as many runs."""
    assert workspace.units() == reference.units() != {}
    assert workspace.files() == reference.files()
    recorded = workspace.recorded()
    assert len({unit for unit, _ in recorded}) == len(recorded)
    assert recorded == reference.recorded()
    for path, log in workspace.logs().items():
        order = writers(log)
        assert len(order) == len(set(order)), f"{path}: two at a time\n{log}"
        assert " INFO finished after " in log.splitlines()[-1], path
    assert not workspace.left_over()
