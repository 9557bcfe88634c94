"""Snakemake killed in mid-run, and a results disk that takes no more: one command goes on."""

import re
import subprocess

import pytest
from cluster.workspace import (
    RECORD,
    SLURM_PROFILE,
    Workspace,
    assert_nothing_lost_nothing_twice,
    kill,
    wait_for,
)

RECOVER = ("workflow/recover.py",)


@pytest.mark.usefixtures("training_on_gpu")
def test_recover_after_snakemake_was_killed(cluster, tmp_path, small, small_reference):
    workspace = Workspace(tmp_path / "killed", small, chains_per_job=1)
    run = workspace.start(*SLURM_PROFILE, *RECORD)
    started = workspace.results / "logs" / "units"
    try:
        wait_for(lambda: started.exists() and list(started.glob("*.log")), 240)
        refused = workspace.run(*SLURM_PROFILE, program=RECOVER, fails=True)
        assert f"Snakemake still runs in {workspace.folder}: process {run.pid}" in refused
    finally:
        kill(run)
    orphans = {job for job, *_ in cluster.jobs(workspace.folder, "RUNNING")}
    assert orphans
    workspace.run(*SLURM_PROFILE, *RECORD, program=RECOVER)
    states = {job: state for job, state, *_ in cluster.jobs(workspace.folder)}
    assert {states[job] for job in orphans} == {"CANCELLED"}
    assert_nothing_lost_nothing_twice(workspace, small_reference)


@pytest.fixture
def disk(tmp_path):
    """A results folder on a disk of its own, which can be made full, read-only and larger."""

    class Disk:
        folder = tmp_path / "full" / "results"

        def mount(self, options):
            command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
            subprocess.run(command, check=True)

    disk = Disk()
    yield disk
    subprocess.run(["umount", str(disk.folder)], check=False)


@pytest.mark.usefixtures("cluster")
def test_a_full_and_a_read_only_disk_end_in_one_line(tmp_path, small, small_reference, disk):
    workspace = Workspace(tmp_path / "full", small)
    disk.folder.mkdir()
    # holds the dataset and the trained networks, not what their pruning leaves
    disk.mount("size=400k")
    units = [
        f"results/digits/mlp/seed{seed}/finetune/magnitude/x{ratio}/metrics.json"
        for seed in small["seeds"]
        for ratio in small["compressions"]
    ]
    printed = workspace.run(*SLURM_PROFILE, "--retries", "0", "--", *units, fails=True)
    # whichever file it was; where not even the log had room, the folder
    message = r"^  \w+: results\S*: No space left on device; make room or make it writable, then "
    assert re.search(message + "run again$", printed, flags=re.MULTILINE)
    disk.mount("remount,ro")
    printed = workspace.run(*SLURM_PROFILE, "--", *units, fails=True)
    assert printed.splitlines()[-1] == (
        "results: Read-only file system; make room or make it writable, then run again"
    )
    disk.mount("remount,rw,size=64m")
    workspace.run(*SLURM_PROFILE, "--", *units)
    reference = small_reference.files()
    made = workspace.files()
    assert {path.rpartition("/")[0] for path in made} == {
        unit.removeprefix("results/").rpartition("/")[0] for unit in units
    }
    assert all(reference[path] == content for path, content in made.items())
    assert not workspace.left_over()
