"""SIGKILL, then the same command: the run goes on. A second run beside a live one is refused."""

import json
import os
import platform
import random
import signal
import time
from dataclasses import asdict

import pytest
import yaml
from interrupted_runs import TINY, assert_clean, begin, kill, locks, wait_for
from workflow_runs import snakemake

from graphprune import checkpoints
from graphprune.jobs.leftovers import is_script, processes
from graphprune.jobs.presence import FOLDER, Note, notes

SNAKEFILE = """
import sys
sys.path.insert(0, ROOT)
from snakemake.logging import logger
from graphprune.errors import UserError
RESULTS = "out"
include: f"{ROOT}/workflow/rules/interruptions.smk"

onstart:
    has_locked()

rule all:
    input: "out/done"

rule slow:
    output: "out/done"
    script: "slow.py"
"""
# it ends when the file "go" is there
SLOW = """
import pathlib, time
with pathlib.Path("attempts").open("a") as file:
    file.write("begun ")
while not pathlib.Path("go").exists():
    time.sleep(0.05)
pathlib.Path(snakemake.output[0]).write_text("whole")
"""
UNIT = "out/digits/mlp/seed0/finetune/magnitude/x2/mask.safetensors"


@pytest.fixture
def folder(root, tmp_path):
    (tmp_path / "Snakefile").write_text(f"ROOT = {str(root)!r}\n{SNAKEFILE}")
    (tmp_path / "slow.py").write_text(SLOW)
    return tmp_path


def scripts(folder):
    """Processes that run a script, without the shells that started them."""
    found = processes(folder)
    return [pid for pid, line in found if is_script(line) and "python" in line.split()[0]]


def of(run):
    return Note(platform.node(), run.pid, os.getuid(), "out", cluster=False)


def whole(folder):
    """Names and bytes of all files, but for logs of Snakemake and what a dry run caches."""
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not {"log", "iocache"} & set(path.parts)
    }


@pytest.mark.parametrize("seed", [0])
def test_a_killed_comparison_goes_on_by_the_same_command(root, tmp_path, seed):
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(TINY))
    command = ["--configfile", str(config), "--", UNIT]
    killed = begin(root, tmp_path, *command)
    wait_for(lambda: locks(tmp_path), killed)
    time.sleep(random.Random(seed).uniform(0, 4))
    kill(killed)
    live = tmp_path / "out/live/digits-mlp-seed0.jsonl"
    live.parent.mkdir(parents=True, exist_ok=True)
    live.touch()

    # its scripts may still run, and write; apart from them nothing changes
    for number in scripts(tmp_path):
        os.kill(number, signal.SIGSTOP)
    before = whole(tmp_path)
    dry = snakemake(root, tmp_path, "--dry-run", *command)
    assert dry.returncode == 0, dry.stderr
    assert whole(tmp_path) == before
    for number in scripts(tmp_path):
        os.kill(number, signal.SIGCONT)

    again = begin(root, tmp_path, *command)
    # what was left is ended before its own note is written, so this is a script of its own
    wait_for(lambda: of(again) in notes(tmp_path / FOLDER).values() and scripts(tmp_path), again)
    again.send_signal(signal.SIGSTOP)
    second = snakemake(root, tmp_path, "--cores", "1", *command)
    again.send_signal(signal.SIGCONT)
    assert second.returncode == 1
    assert "LockException" in second.stderr
    assert f"another run works in this folder (process {again.pid})" in second.stderr
    _, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert f"An earlier run (process {killed.pid}) was killed." in errors
    checkpoints.load(tmp_path / UNIT, "mask")
    assert_clean(tmp_path)


@pytest.mark.parametrize("moment", ["locks", "attempts"])
def test_it_goes_on_whenever_it_was_killed(folder, moment):
    seen = {
        "locks": lambda: locks(folder),
        "attempts": (folder / "attempts").exists,
    }
    killed = begin(folder, folder)
    wait_for(seen[moment], killed)
    # its job outlives it if only Snakemake is killed
    kill(killed, group=moment == "locks")
    if moment == "attempts":
        assert scripts(folder)
    attempts = folder / "attempts"
    begun = attempts.read_text() if attempts.exists() else ""
    again = begin(folder, folder)
    wait_for(lambda: attempts.exists() and attempts.read_text() == f"{begun}begun ", again)
    assert len(scripts(folder)) == 1
    (folder / "go").touch()
    _, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert (folder / "out/done").read_text() == "whole"
    assert_clean(folder)


def test_of_two_that_start_at_once_one_runs(folder):
    runs = [begin(folder, folder), begin(folder, folder)]
    wait_for(lambda: any(run.poll() is not None for run in runs))
    wait_for((folder / "attempts").exists)
    (folder / "go").touch()
    errors = [run.communicate(timeout=120)[1] for run in runs]
    assert sorted(run.returncode for run in runs) == [0, 1]
    assert sum("LockException" in text for text in errors) == 1
    assert (folder / "attempts").read_text() == "begun "
    assert_clean(folder)


def test_what_may_still_write_elsewhere_is_not_unlocked(folder):
    lock, note = folder / ".snakemake/locks/0.output.lock", folder / FOLDER / "n7-4711-0a.json"
    for path in (lock, note):
        path.parent.mkdir(parents=True)
    lock.write_text("out/done\n")
    note.write_text(json.dumps(asdict(Note("n7", 4711, os.getuid(), "out", cluster=False))))
    refused = snakemake(folder, folder, "--cores", "1")
    assert refused.returncode == 1
    assert "LockException" in refused.stderr
    assert "process 4711 on n7" in refused.stderr
    assert "make recover" in refused.stderr
    assert lock.exists()
    assert list(notes(folder / FOLDER)) == [note]
