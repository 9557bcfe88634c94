"""The scripts that train: killed or told to stop, they go on and write the same bytes."""

from __future__ import annotations

import csv
import hashlib
import importlib
import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from graphprune import data
from graphprune.masks import prune
from graphprune.methods import results
from graphprune.models import networks, pruned

# Runs a script as Snakemake does, in a process of its own for each attempt; an attempt gets its
# signal in the given step. Prints how each ended, the steps that it made, and what it wrote.
DRIVER = """
import hashlib, json, os, runpy, sys
from types import SimpleNamespace

root, folder, script, attempts, job = json.loads(sys.argv[1])
sys.path[:0] = [root, os.path.join(root, "workflow", "scripts")]
os.chdir(folder)
import torch
torch.set_num_threads(1)
# what an attempt would import
from graphprune import data, files
from graphprune.methods import results
from graphprune.models import networks, pruned
from graphprune.training import devices, live, loop, regimes
from graphprune.training.passes import Passes

step = Passes.step
for number, at in attempts:
    sys.stdout.flush()
    if child := os.fork():
        status = os.waitpid(child, 0)[1]
        print("ended", os.waitstatus_to_exitcode(status))
        continue
    made = 0

    def counting(self, *batch):
        global made
        made += 1
        if made == at:
            print("step", made, flush=True)
            os.kill(os.getpid(), number)
        return step(self, *batch)

    Passes.step = counting
    fields = lambda values: SimpleNamespace(**values)
    # what Snakemake removes before it tries again
    for path in job["outputs"]:
        if os.path.exists(path):
            os.remove(path)
    output = type("Outputs", (list,), job["output"])(job["outputs"])
    wildcards = type("Wildcards", (list,), job["wildcards"])(job["wildcards"].values())
    wildcards.items = lambda: job["wildcards"].items()
    snakemake = SimpleNamespace(
        rule="train", threads=1, log=["log"], output=output, input=fields(job["input"]),
        config={"results": "out", "checkpoint_minutes": job["minutes"]},
        wildcards=wildcards, params=fields(job["params"]),
    )
    # a script by hand: no configuration to hold its inputs against
    import job as ours
    ours.Artifacts = lambda snakemake: None
    code = 0
    try:
        runpy.run_path(os.path.join(root, "workflow/scripts", script), {"snakemake": snakemake})
    except SystemExit as error:
        code = error.code
    print("steps", made, flush=True)
    if not code:
        written = b"".join(open(path, "rb").read() for path in job["networks"])
        print("wrote", hashlib.sha256(written).hexdigest(), flush=True)
    os._exit(code)
"""
SETTINGS = {"epochs": 3, "batch_size": 200, "learning_rate": 0.1, "ema": 0.9}
STEPS = 3 * 7  # 1 259 examples in batches of 200


def run(
    root: Path, folder: Path, script: str, attempts: list[tuple[int, int]], job: dict[str, Any]
) -> subprocess.CompletedProcess[str]:
    given = json.dumps([str(root), str(folder), script, attempts, job])
    command = [sys.executable, "-c", DRIVER, given]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def steps_of(output: str) -> list[int]:
    """The steps of each attempt, the one that was interrupted included."""
    return [int(line.split()[1]) for line in output.splitlines() if line.startswith("step")]


def wrote(output: str) -> list[str]:
    """The digest of the networks that each attempt wrote which came to its end."""
    return [line.split()[1] for line in output.splitlines() if line.startswith("wrote")]


def ends_of(output: str) -> list[int]:
    return [int(line.split()[1]) for line in output.splitlines() if line.startswith("ended")]


def dense() -> dict[str, Any]:
    outputs = {name: f"{name}.safetensors" for name in ("initial", "checkpoint")}
    outputs["history"] = "history.csv"
    return {
        "input": {"data": "data"},
        "output": outputs,
        "outputs": list(outputs.values()),
        "networks": [outputs["initial"], outputs["checkpoint"]],
        "wildcards": {"dataset": "digits", "network": "mlp", "seed": "0"},
        "params": {
            "network": {"model": "mlp", "options": {"hidden": [16]}},
            "settings": SETTINGS,
            "device": "cpu",
        },
        "minutes": 0,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data.save(tmp_path / "data", data.load("digits"))
    return tmp_path


def test_a_dense_training_killed_three_times_ends_with_the_same_bytes(
    root: Path, folder: Path
) -> None:
    draw = random.Random(8)
    kills = [draw.randrange(2, 7) for _ in range(3)]
    whole = (0, 0)
    attempts = [
        whole,
        *((int(signal.SIGKILL), at) for at in kills),
        (int(signal.SIGTERM), 3),
        whole,
    ]
    ended = run(root, folder, "train.py", attempts, dense())
    assert ends_of(ended.stdout) == [0, *[-signal.SIGKILL] * 3, 1, 0], ended.stderr
    # a step that was killed is made again; the one in which SIGTERM came is not
    made = sum(at - 1 for at in kills) + 3
    assert steps_of(ended.stdout)[-1] == STEPS - made
    first, second = wrote(ended.stdout)
    assert first == second
    with (folder / "history.csv").open() as stream:
        assert [row["epoch"] for row in csv.DictReader(stream)] == ["1", "2", "3"]
    assert not list(folder.glob("*.partial.*"))
    # one line for the signal, none for the kills
    epoch, step = divmod(made - 1, STEPS // 3)
    assert ended.stderr == (
        f"train digits mlp 0: stopped by SIGTERM after step {step + 1} of epoch {epoch + 1}; "
        "checkpoint.any.partial.safetensors keeps what was trained, and the same command goes on "
        "from there\n"
    )


RATIOS = ["2", "8"]


def tuned() -> dict[str, Any]:
    units = {
        name: [f"x{ratio}/{name}.{end}" for ratio in RATIOS]
        for name, end in (("reports", "json"), ("masks", "safetensors"))
    }
    finetuned = [f"out/digits/mlp/seed0/finetune/random/x{r}/finetuned.safetensors" for r in RATIOS]
    histories = [path.replace("finetuned.safetensors", "history.csv") for path in finetuned]
    return {
        "input": {"data": "data", "checkpoint": "dense", **units},
        "output": {"finetuned": finetuned, "histories": histories},
        "outputs": [*finetuned, *histories],
        "networks": finetuned,
        "wildcards": {
            "dataset": "digits", "network": "mlp", "seed": "0", "regime": "finetune",
            "method": "random",
        },
        "params": {
            "device": "cpu", "train": SETTINGS, "finetune": SETTINGS, "compressions": RATIOS,
        },
        "minutes": 0,
    }  # fmt: skip


def test_finetuning_keeps_what_is_finished_until_all_is(root: Path, folder: Path) -> None:
    dataset = data.read(folder / "data")
    identity = networks.Identity("digits", "mlp", dataset.input_shape, 10, seed=0)
    model = identity.build()
    networks.save(folder / "dense", model.state_dict(), identity)
    weights = {n: p.detach().abs() for n, p in model.named_parameters() if p.ndim > 1}
    for ratio in RATIOS:
        (folder / f"x{ratio}").mkdir()
        report = results.Report("random", {}, 0.0)
        results.save_report(folder / f"x{ratio}/reports.json", report, {})
        pruned.save(folder / f"x{ratio}/masks.safetensors", prune(weights, 1 - 1 / float(ratio)))
    job = tuned()
    # in the first unit, then in the second: the first is not trained again
    kills = [(int(signal.SIGKILL), 5), (int(signal.SIGKILL), STEPS + 3 - 4)]
    ended = run(root, folder, "finetune.py", [(0, 0), *kills, (0, 0)], job)
    assert ends_of(ended.stdout) == [0, *[-signal.SIGKILL] * 2, 0], ended.stderr
    assert steps_of(ended.stdout)[-1] == STEPS - 2
    first, second = wrote(ended.stdout)
    assert first == second
    assert not list(folder.rglob("*.partial.*"))


def test_what_is_left_of_another_recipe_is_removed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(root / "workflow/scripts"))
    job = importlib.import_module("job")
    others = [tmp_path / f"{name}.partial.safetensors" for name in ("checkpoint.0", "other.0")]
    for path in others:
        path.touch()
    artifacts = SimpleNamespace(digest=lambda path: hashlib.sha256(path.encode()).hexdigest())
    snakemake = SimpleNamespace(artifacts=artifacts, config={"checkpoint_minutes": 3})
    output = str(tmp_path / "checkpoint.safetensors")
    kept = job.partial(snakemake, output)
    digest = hashlib.sha256(output.encode()).hexdigest()[:12]
    assert kept.path == tmp_path / f"checkpoint.{digest}.partial.safetensors"
    assert kept.seconds == 180
    assert [path.exists() for path in others] == [False, True]
    kept.path.touch()
    assert job.partial(snakemake, output).path.exists()
