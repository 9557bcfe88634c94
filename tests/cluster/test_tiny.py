"""The tiny preset on two nodes of Slurm gives what it gives on one machine."""

import shutil

import yaml
from conftest import (
    LOCAL_PROFILE,
    ROOT,
    SLURM_PROFILE,
    Workspace,
    assert_nothing_lost_nothing_twice,
    kill,
)


def test_two_nodes_give_the_same_bytes_as_one_machine(cluster, tmp_path):
    config = yaml.safe_load((ROOT / "workflow/presets/tiny.yaml").read_text())
    local = Workspace(tmp_path / "local", config)
    remote = Workspace(tmp_path / "remote", config)
    # side by side: Snakemake spends much of its time on a cluster waiting
    alone = local.start(*LOCAL_PROFILE)
    try:
        remote.run(*SLURM_PROFILE)
        assert alone.wait() == 0, local.printed()[-6000:]
    finally:
        kill(alone)
    assert_nothing_lost_nothing_twice(remote, local)
    jobs = cluster.jobs(remote.folder)
    assert {state for _, state, _, _ in jobs} == {"COMPLETED"}
    assert {node for _, _, node, _ in jobs} == {"n1", "n2"}
    # far fewer jobs than rules were run
    assert len(jobs) < len(remote.logs()) / 4
    for workspace in (local, remote):
        shutil.rmtree(workspace.folder)
