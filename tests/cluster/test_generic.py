"""The profile for any scheduler, with Slurm's commands: a run, and a job that is cancelled."""

import re

import pytest
from cluster.workspace import Workspace, kill, wait_for

PROFILE = ["--workflow-profile", "workflow/profiles/cluster-generic"]


@pytest.mark.usefixtures("tiny_there")
def test_submit_status_and_cancel(cluster, tmp_path, small, small_reference):
    workspace = Workspace(tmp_path / "generic", small)
    unit = "digits/mlp/seed0/finetune/magnitude/x2"
    run = workspace.start(*PROFILE, "--", f"results/{unit}/metrics.json")
    try:
        first = wait_for(lambda: cluster.jobs(workspace.folder, "RUNNING"), 240)[0][0]
        cluster.ask("scancel", first)
        assert run.wait(600) == 0, workspace.printed()[-6000:]
    finally:
        kill(run)
    states = [state for _, state, *_ in sorted(cluster.jobs(workspace.folder))]
    assert states.count("CANCELLED") == 1
    assert states.count("COMPLETED") == 2
    assert re.search(r"Submitted group job \S+ with external jobid '\d+'", workspace.printed())
    made, reference = workspace.files(), small_reference.files()
    assert f"{unit}/mask.safetensors" in made
    assert all(reference[path] == content for path, content in made.items())
