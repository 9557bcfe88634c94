"""The workflow's score script: killed in mid-training, it goes on and ends with the same scores."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import torch

from graphprune import data
from graphprune.methods import results
from graphprune.models import networks

# runs the script as Snakemake does; dies, as by a power cut, at the end of that many epochs
DRIVER = """
import json, os, runpy, signal, sys
from types import SimpleNamespace

root, folder, kill_after, arguments = json.loads(sys.argv[1])
sys.path[:0] = [root, os.path.join(root, "workflow", "scripts")]
from graphprune.methods import probmask

epochs = 0
log = probmask._log


def counting(row):
    global epochs
    log(row)
    epochs += 1
    if epochs == kill_after:
        os.kill(os.getpid(), signal.SIGKILL)


probmask._log = counting
os.chdir(folder)
wildcards = type("Wildcards", (list,), {"method": "probmask"})()
job = SimpleNamespace(rule="learn", threads=1, wildcards=wildcards, log=["learn.log"], config={})
job.input = SimpleNamespace(checkpoint="dense", get={"data": "data"}.get)
scores = [f"x{ratio}/scores.safetensors" for ratio in arguments["compressions"]]
reports = [path.replace("safetensors", "json") for path in scores]
for path in scores:
    os.makedirs(os.path.dirname(path), exist_ok=True)  # as Snakemake does
job.output = type("Outputs", (list,), {"scores": scores, "reports": reports})(scores + reports)
job.params = SimpleNamespace(**arguments)
runpy.run_path(os.path.join(root, "workflow/scripts/score.py"), {"snakemake": job})
print(epochs)
"""
RATIOS = [8, 2]


def score(root: Path, folder: Path, kill_after: int = 0) -> subprocess.CompletedProcess[str]:
    method = {"name": "probmask", "options": {"epochs": 2, "continued": True, "final_draws": 2}}
    arguments = {"method": method, "compressions": RATIOS, "device": "cpu"}
    given = json.dumps([str(root), str(folder), kill_after, arguments])
    command = [sys.executable, "-c", DRIVER, given]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def prepare(folder: Path) -> None:
    folder.mkdir()
    dataset = data.load("digits")
    data.save(folder / "data", dataset)
    identity = networks.Identity("digits", "mlp", dataset.input_shape, 10, seed=0)
    networks.save(folder / "dense", identity.build().state_dict(), identity)


def test_a_killed_job_ends_with_the_same_scores(root: Path, tmp_path: Path) -> None:
    for name in ("whole", "killed"):
        prepare(tmp_path / name)
    whole = score(root, tmp_path / "whole")
    assert whole.stdout.split() == ["3"], whole.stderr
    # in the first training; then, in the second start, in the second one
    for left in (1, 2):
        assert score(root, tmp_path / "killed", kill_after=1).returncode == -signal.SIGKILL
        for path in (tmp_path / "killed").glob("x*/scores.safetensors"):
            # Snakemake removes the outputs of a job that did not end
            path.unlink()
        assert list((tmp_path / "killed").glob("x2/*.partial.safetensors")), left
    again = score(root, tmp_path / "killed")
    assert again.stdout.split() == ["1"], again.stderr
    for ratio in RATIOS:
        first, second = (
            results.load(tmp_path / name / f"x{ratio}/scores.safetensors").result
            for name in ("whole", "killed")
        )
        reports = (
            results.load_report(tmp_path / name / f"x{ratio}/scores.json").numbers
            for name in ("whole", "killed")
        )
        assert next(reports) == next(reports)
        for ours, theirs in ((first.scores, second.scores), (first.weights, second.weights)):
            assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not list(tmp_path.rglob("*.partial.safetensors"))
    log = (tmp_path / "killed/learn.log").read_text()
    assert "epoch 1: loss" in log
