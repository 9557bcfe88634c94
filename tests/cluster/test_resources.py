"""With device: cuda a training asks for a GPU; a node without one says so in one line."""

import re


def test_a_training_asks_for_a_gpu(cluster, training_on_gpu):
    workspace, run = training_on_gpu
    assert run.wait() != 0
    printed = workspace.printed()
    ((_, state, _, _, gpus),) = cluster.jobs(workspace.folder)
    assert state == "FAILED"
    assert re.fullmatch("gres[:/]gpu:1", gpus)
    # this Slurm only counts its GPUs
    assert "train: device is cuda, but" in printed
    assert not list((workspace.results / "digits").rglob("*.safetensors"))
