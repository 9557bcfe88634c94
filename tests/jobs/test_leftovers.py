"""What a killed run leaves on this machine: found by its folder, ended, swept."""

import os
import subprocess
import sys

import pytest

from graphprune.errors import UserError
from graphprune.jobs import leftovers

SLEEP = "import time\nprint(flush=True)\ntime.sleep(600)\n"
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


@pytest.fixture
def start(tmp_path):
    """Starts a script of Snakemake in a folder, and returns when it runs."""
    begun = []

    def begin(folder, code=SLEEP):
        path = tmp_path / folder / ".snakemake/scripts/job.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
        script = subprocess.Popen(
            [sys.executable, path], cwd=tmp_path / folder, stdout=subprocess.PIPE
        )
        begun.append(script)
        script.stdout.readline()
        return script

    yield begin
    for script in begun:
        script.kill()
        script.wait()
        script.stdout.close()


def test_scripts_of_the_folder_are_ended_and_no_others(tmp_path, start):
    here, there = start("here"), start("there")
    # ended, but not yet reaped by its parent, this test: nothing is waited for
    assert leftovers.end_scripts(tmp_path / "here") == 1
    assert not leftovers.runs(here.pid)
    assert here.wait() < 0
    assert there.poll() is None
    assert leftovers.runs(there.pid)
    assert leftovers.end_scripts(tmp_path / "here") == 0


def test_a_script_that_does_not_listen_is_killed(tmp_path, start, monkeypatch):
    monkeypatch.setattr(leftovers, "GRACE", 0.2)
    deaf = start("here", DEAF + SLEEP)
    assert leftovers.end_scripts(tmp_path / "here") == 1
    assert deaf.wait() == -9


def test_one_that_cannot_be_ended_is_an_error_that_names_it(tmp_path, start, monkeypatch):
    monkeypatch.setattr(leftovers, "GRACE", 0.2)
    monkeypatch.setattr(leftovers.os, "kill", lambda *_: None)
    script = start("here")
    with pytest.raises(UserError, match=f"process {script.pid} .* cannot be ended"):
        leftovers.end_scripts(tmp_path / "here")


@pytest.mark.parametrize(
    ("command", "main"),
    [
        ("/v/bin/python /v/bin/snakemake --cores 2", True),
        ("/v/bin/python -m snakemake --cores all", True),
        ("/v/bin/python -m snakemake --snakefile S --mode subprocess", False),
        ("/v/bin/python -m snakemake --snakefile S --mode=remote", False),
        ("/v/bin/python .snakemake/scripts/tmp1.train.py", False),
        ("tail -f .snakemake/log/1.snakemake.log", False),
    ],
)
def test_a_main_snakemake_is_told_from_its_jobs(command, main):
    assert leftovers.is_main_snakemake(command) == main


def test_only_what_nobody_writes_any_more_is_swept(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    gone = ["live/a.jsonl", f"a/.{ended.pid}.mask.safetensors", f".{ended.pid}.metrics.csv"]
    stays = ["a/mask.safetensors", f"a/.{os.getpid()}.mask.safetensors", "a/.7", ".graphprune"]
    for name in [*gone, *stays]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    leftovers.sweep(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == set(stays)
    leftovers.sweep(tmp_path / "none")
