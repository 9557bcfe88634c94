"""Which jobs of the workflow ask for a GPU, and how a run ends that has none."""

import re

import pytest
from workflow_runs import preset, snakemake

from graphprune.training import devices


def workflow(root, folder, device, *arguments):
    config = preset(root, folder, device=device, results="out")
    # as on a machine without a GPU
    environment = {"CUDA_VISIBLE_DEVICES": ""}
    return snakemake(root, folder, "--configfile", config, *arguments, environment=environment)


@pytest.mark.parametrize("device", devices.DEVICES)
def test_only_trainings_and_measurements_ask_for_a_gpu(root, tmp_path, device):
    done = workflow(root, tmp_path, device, "--cores", "2", "--dry-run")
    assert done.returncode == 0, done.stderr
    asked: dict[str, set[str]] = {}
    for block in re.split(r"\n *rule ", done.stdout)[1:]:
        resources = block.partition(" resources: ")[2].partition("\n")[0]
        asked.setdefault(block.partition(":")[0], set()).add(
            next((r for r in resources.split(", ") if r.startswith("gpu=")), "none")
        )
    on_device = {"train", "learn", "finetune", "evaluate", "removal"}
    given = {stage: asked.pop(stage) for stage in on_device}
    assert set().union(*given.values()) == {"gpu=1" if device == "cuda" else "gpu=0"}
    assert asked
    assert set().union(*asked.values()) == {"none"}


def test_a_run_without_its_gpu_ends_in_one_line_and_writes_no_network(root, tmp_path):
    target = "out/mnist5k/lenet5/seed0/dense/checkpoint.safetensors"
    done = workflow(root, tmp_path, "cuda", "--cores", "1", target)
    assert done.returncode != 0
    lines = [
        line for line in done.stderr.splitlines() if line.startswith("train mnist5k lenet5 0: ")
    ]
    assert len(lines) == 1
    assert "device is cuda, but" in lines[0]
    assert not list((tmp_path / "out/mnist5k").rglob("*.safetensors"))
