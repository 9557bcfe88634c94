"""The tiny preset on two nodes of Slurm gives what it gives on one machine."""

import shutil

import yaml
from conftest import (
    LOCAL_PROFILE,
    ROOT,
    SLURM_PROFILE,
    Workspace,
    assert_nothing_lost_nothing_twice,
)


def test_two_nodes_give_the_same_bytes_as_one_machine(cluster, tmp_path):
    config = yaml.safe_load((ROOT / "workflow/presets/tiny.yaml").read_text())
    local = Workspace(tmp_path / "local", config)
    remote = Workspace(tmp_path / "remote", config)
    local.run(*LOCAL_PROFILE)
    remote.run(*SLURM_PROFILE)
    assert_nothing_lost_nothing_twice(remote, local)
    jobs = cluster.jobs(remote.folder)
    assert {state for _, state, _, _ in jobs} == {"COMPLETED"}
    assert {node for _, _, node, _ in jobs} == {"n1", "n2"}
    # far fewer jobs than rules were run
    assert len(jobs) < len(remote.logs()) / 4
    for workspace in (local, remote):
        shutil.rmtree(workspace.folder)
