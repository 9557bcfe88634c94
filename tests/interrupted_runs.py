"""Runs of a Snakefile that are begun, killed and looked at, and what their results are."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from graphprune.files import MADE, SEAL
from graphprune.jobs.leftovers import is_follower, is_script, processes
from graphprune.jobs.presence import FOLDER, notes

# the smallest comparison
TINY: dict[str, Any] = {
    "experiment": "killed",
    "results": "out",
    "networks": [{"dataset": "digits", "model": "mlp"}],
    "seeds": [0],
    "compressions": [2],
    "train": {"epochs": 1},
    "finetune": {"epochs": 1},
    "methods": {"magnitude": {}},
}
# what holds times, places, MLflow's own numbers, and what a run that goes on still had to do
CLOCKS = (
    ".batches.json",
    ".locks",
    "logs",
    "benchmarks",
    "tracking",
    "made",
    "live",
    "mlflow.db",
    "mlartifacts",
    "mlruns",
)
TIMED = ("latency.csv", "summary.html", "scoring_cost.", "cost.", "figure.png")
WORDS = ("seconds", "latency", "memory")


def begin(snakefile: Path, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--directory", str(folder)]
    command += ["--snakefile", str(snakefile / "Snakefile"), *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(condition: Callable[[], Any], *runs: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        assert all(run.poll() is None for run in runs)
        time.sleep(0.02)


def locks(folder: Path) -> list[Path]:
    return list(folder.glob(".snakemake/locks/*.lock"))


def kill(run: subprocess.Popen[str], group: bool = False) -> None:
    os.killpg(run.pid, signal.SIGKILL) if group else run.send_signal(signal.SIGKILL)
    run.wait()
    # its scripts may hold the other end
    assert run.stderr
    run.stderr.close()


def assert_clean(folder: Path) -> None:
    assert locks(folder) == []
    assert notes(folder / FOLDER) == {}
    assert not [one for one in processes(folder) if is_script(one[1]) or is_follower(one[1])]
    assert half_written(folder / "out") == []
    assert not list(folder.glob("out/live/*"))


def half_written(results: Path) -> list[Path]:
    """Temporary files of `graphprune.files.atomic`."""
    return list(results.rglob(".[0-9]*"))


def results_of(results: Path) -> dict[str, object]:
    """Path -> what is to be the same in every run: bytes, or numbers without the clocks'."""
    found = {}
    for path in sorted(results.rglob("*")):
        name = path.relative_to(results).as_posix()
        if path.is_file() and name.split("/")[0] not in CLOCKS and not path.name.startswith(TIMED):
            found[name] = _without_clocks(path)
    return found


def _without_clocks(path: Path) -> object:
    if path.suffix == ".json":
        return _without_seconds(json.loads(path.read_text()))
    if path.suffix == ".csv":
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
        return [{key: row[key] for key in row if not _is_clock(key)} for row in rows]
    if path.name == "metrics.parquet":
        table = pd.read_parquet(path)
        return table[[column for column in table if not _is_clock(column)]].to_csv()
    return path.read_bytes()


def _is_clock(name: object) -> bool:
    return any(word in str(name) for word in WORDS)


def _without_seconds(value: Any) -> Any:
    """JSON without clocks, and without the digests of what holds them."""
    if not isinstance(value, Mapping):
        return value
    found = {key: _without_seconds(inner) for key, inner in value.items() if not _is_clock(key)}
    if MADE in value and len(found) < len(value):
        kept = {k: v for k, v in found[MADE].items() if k not in ("content", SEAL, "history")}
        # reports of scores hold seconds, too
        kept["inputs"] = {k: v for k, v in kept["inputs"].items() if k != "report"}
        found[MADE] = kept
    return found
