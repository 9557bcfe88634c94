"""Jobs over their memory, cancelled jobs, dead nodes: tried again, and nothing lost or twice."""

import pytest
from cluster.workspace import (
    RECORD,
    SLURM_PROFILE,
    Workspace,
    assert_nothing_lost_nothing_twice,
    kill,
    wait_for,
)


def running_stage(cluster, workspace, stage, busy=()):
    """Id and node of a job that is in the middle of ``stage``, but those in ``busy``."""

    def found():
        jobs = {row[0]: row[2] for row in cluster.jobs(workspace.folder, "RUNNING")}
        for path in (workspace.results / "logs").glob(f"{stage}*/*.log"):
            log = path.read_text()
            # the stages of a unit share a log
            last = log.rpartition(" started on ")[2]
            started = last.rpartition("Slurm job ")[2].split("\n")[0]
            if " finished after " not in last and started in jobs and started not in busy:
                return started, jobs[started]
        return None

    return wait_for(found, 240)


@pytest.mark.usefixtures("tiny_here")
def test_a_job_over_its_memory_a_cancelled_job_and_a_dead_node(
    cluster, tmp_path, small, small_reference
):
    workspace = Workspace(tmp_path / "faulty", small, chains_per_job=1)
    # a training holds more than 330 MB and less than 990
    tight = ["--set-resources", "train:mem_mb=attempt*330", "activations:mem_mb=attempt*330"]
    tight += ["graph:mem_mb=attempt*330"]
    node = ""
    run = workspace.start(*SLURM_PROFILE, *tight, *RECORD)
    try:
        cancelled, _ = running_stage(cluster, workspace, "units")
        cluster.ask("scancel", cancelled)
        crashed, node = running_stage(cluster, workspace, "units", [cancelled])
        cluster.crash(node)
        wait_for(lambda: "DOWN" in cluster.ask("sinfo", "-h", "-n", node, "-o", "%T").upper())
        assert run.wait(400) == 0, workspace.printed()[-6000:]
    finally:
        kill(run)
        if node:
            cluster.boot(node)
    assert_nothing_lost_nothing_twice(workspace, small_reference)
    jobs = cluster.jobs(workspace.folder)
    states = {job: state for job, state, *_ in jobs}
    assert states[cancelled] == "CANCELLED"
    assert states[crashed] == "NODE_FAIL"
    asked = [(int(memory.removesuffix("M")), state) for _, state, _, memory, _ in jobs]
    assert any(memory == 330 and state != "COMPLETED" for memory, state in asked)
    assert any(memory in (660, 990) and state == "COMPLETED" for memory, state in asked)
    assert {gpus for *_, gpus in jobs} == {"N/A"}
    printed = workspace.printed()
    assert "FAILED train: results/digits/mlp/seed0/dense" in printed
    assert "units: 4 done, 0 running, 0 left" in printed
