"""How much of a cluster job's wall time is start-up, for units of about a minute, on a real Slurm.

    python benchmarks/startup.py [--epochs 200] [--chains 1]          (root, Debian or Ubuntu)

Starts a throw-away Slurm (tests/cluster/slurm.sh), sends LeNet-5 through the slurm profile with
``chains`` methods at five compression ratios, fine-tuned for ``epochs`` each, and reads how long
Slurm held the job of their group "unit". Work is what scoring and the epochs took, by their clocks.
Everything else counts as start-up: two Snakemakes and a Python for each stage with their imports,
and also reading, pruning, measuring and writing. So the share is an upper bound. Run nothing else
at the same time.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from tables import table

ROOT = Path(__file__).resolve().parents[1]
SLURM = ROOT / "tests/cluster/slurm.sh"
METHODS = {"magnitude": {}, "random": {}, "layers": {"method": "magnitude", "scope": "layer"}}
LIMIT = 0.10


def workspace(folder: Path, epochs: int, chains: int) -> None:
    """A folder like a checkout, with a configuration and a site of its own."""
    for name in ("Snakefile", "workflow", "graphprune"):
        (folder / name).symlink_to(ROOT / name)
    training = {"batch_size": 64, "learning_rate": 0.02}
    config = {
        "networks": [{"dataset": "mnist5k", "model": "lenet5"}],
        "seeds": [0],
        "compressions": [2, 4, 8, 16, 32],
        "train": {"epochs": 3, **training},
        "finetune": {"epochs": epochs, **training},
        "methods": dict(list(METHODS.items())[:chains]),
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    site = {"jobs": 1, "chains_per_job": chains, "cores_per_job": 1, "check_seconds": 2}
    (folder / "site.yaml").write_text(yaml.safe_dump(site))


def run(folder: Path, methods: list[str]) -> dict[str, float]:
    """Wall seconds that Slurm held each job, by its number; one job at a time."""
    units = [f"results/mnist5k/lenet5/seed0/finetune/{m}/x{r}/metrics.json"
             for m in methods for r in (2, 4, 8, 16, 32)]  # fmt: skip
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", "workflow/profiles/slurm"]
    environment = {**os.environ, "GRAPHPRUNE_SITE": "site.yaml", "OMP_NUM_THREADS": "1"}
    with (folder / "terminal.txt").open("w") as terminal:
        subprocess.run(
            [*command, "--", *units], cwd=folder, env=environment, check=True,
            stdout=terminal, stderr=subprocess.STDOUT,
        )  # fmt: skip
    asked = ["squeue", "-h", "--states=COMPLETED", "-o", "%A|%M"]
    listed = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    return {job: seconds(held) for job, held in (line.split("|") for line in listed.split())}


def seconds(text: str) -> float:
    """Seconds in Slurm's [hours:]minutes:seconds.

    >>> seconds("1:00:05")
    3605.0
    """
    total = 0
    for part in text.split(":"):
        total = 60 * total + int(part)
    return float(total)


def work(folder: Path, method: str) -> list[float]:
    """Seconds of fine-tuning and scoring of each unit of ``method``, by their own clocks."""
    spent = []
    for path in sorted(folder.glob(f"results/mnist5k/lenet5/seed0/finetune/{method}/x*")):
        with (path / "history.csv").open(newline="") as file:
            epochs = sum(float(row["seconds"]) for row in csv.DictReader(file))
        spent.append(epochs + json.loads((path / "metrics.json").read_text())["seconds_score"])
    return spent


def job_of(folder: Path, method: str) -> str:
    """Number of the Slurm job that fine-tuned ``method``."""
    log = folder / f"results/logs/finetune/mnist5k-lenet5-seed0-finetune-{method}.log"
    return log.read_text().partition("Slurm job ")[2].split("\n")[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--chains", type=int, default=1, choices=(1, 2, 3))
    options = parser.parse_args()
    methods = list(METHODS)[: options.chains]
    subprocess.run([SLURM, "install"], check=True)
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as cluster:
        folder = Path(tempfile.mkdtemp(prefix="startup-"))
        workspace(folder, options.epochs, options.chains)
        subprocess.run([SLURM, "start", cluster], check=True)
        try:
            held = run(folder, methods)
        finally:
            subprocess.run([SLURM, "stop", cluster], check=True)
    jobs: dict[str, list[float]] = {}
    for method in methods:
        jobs.setdefault(job_of(folder, method), []).extend(work(folder, method))
    rows = []
    for job, units in jobs.items():
        start = held[job] - sum(units)
        rows.append(
            {
                "job": job,
                "units": len(units),
                "work of a unit [s]": sum(units) / len(units),
                "held by Slurm [s]": held[job],
                "not work [s]": start,
                "share": start / held[job],
                "at most 10 %": "yes" if start <= LIMIT * held[job] else "NO",
            }
        )
    table(rows)
    print(f"files: {folder}")


if __name__ == "__main__":
    main()
