"""recover on one machine after Snakemake was killed: its scripts end, and the run is finished."""

import os
import signal
import subprocess
import sys
import time

import pytest
import yte

SNAKEFILE = """
rule all:
    input: "done"

rule slow:
    output: "done"
    script: "slow.py"
"""
# the first attempt never ends; it would write its output when it is told to
SLOW = """
import pathlib, time
attempts = pathlib.Path("attempts")
with attempts.open("a") as file:
    file.write("begun ")
if attempts.read_text() == "begun ":
    while True:
        time.sleep(0.1)
pathlib.Path(snakemake.output[0]).write_text("second")
"""
ARGUMENTS = ["--cores", "1", "--rerun-incomplete", "--quiet"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "slow.py").write_text(SLOW)
    return tmp_path


def recover(root, folder, *arguments):
    command = [sys.executable, str(root / "workflow/recover.py"), *ARGUMENTS, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def begin(folder):
    """A Snakemake in the middle of its script."""
    command = [sys.executable, "-m", "snakemake", *ARGUMENTS]
    run = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not (folder / "attempts").exists():
        assert run.poll() is None
        time.sleep(0.05)
    return run


def scripts_in(folder):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read()
            if b".snakemake/scripts/" in command and os.readlink(f"/proc/{pid}/cwd") == str(folder):
                found.append(int(pid))
        except OSError:
            continue
    return found


def test_a_killed_run_is_finished_and_its_script_ended(root, folder):
    run = begin(folder)
    refused = recover(root, folder)
    assert refused.returncode == 1
    assert refused.stderr.strip().endswith(
        f"recover: Snakemake still runs in {folder}: process {run.pid}"
    )
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert scripts_in(folder)
    assert os.listdir(folder / ".snakemake/locks")
    done = recover(root, folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "done").read_text() == "second"
    assert (folder / "attempts").read_text() == "begun begun "
    assert not scripts_in(folder)


def test_the_jobs_of_this_folder_are_cancelled_by_their_prefix(root, folder):
    profile = folder / "profile"
    profile.mkdir()
    (profile / "config.yaml").write_text("cores: 1\n")
    cancel = profile / "cancel-orphans"
    cancel.write_text('#!/bin/sh\necho "$1" >prefix\nexit 7\n')
    cancel.chmod(0o755)
    done = recover(root, folder, "--workflow-profile", "profile")
    # orphans that cannot be ended mean no second writer
    assert done.returncode == 7
    assert not (folder / "attempts").exists()
    prefix = (folder / "prefix").read_text().strip()
    assert rendered(root, "slurm", folder)["slurm-jobname-prefix"] == prefix
    generic = rendered(root, "cluster-generic", folder)["cluster-generic-submit-cmd"]
    assert f"--job-name={prefix} " in generic


def rendered(root, profile, folder, monkeypatch=pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("GRAPHPRUNE_SITE", str(root / "workflow/profiles/slurm/site.yaml"))
        return yte.process_yaml((root / f"workflow/profiles/{profile}/config.yaml").read_text())
