"""Checkpoints: read back as they were, and refused where they are not."""

import pytest
import torch
from torch import nn

from graphprune import checkpoints
from graphprune.errors import UserError


def test_round_trip_keeps_tensors_kind_and_metadata(tmp_path):
    path = tmp_path / "deep" / "x.safetensors"
    tensors = {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor([True, False])}
    checkpoints.save(path, tensors, "mask", {"model": "mlp"})
    read, metadata = checkpoints.load(path, "mask")
    assert metadata == {"model": "mlp"}
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())


def test_who_may_read_a_checkpoint_is_who_may_read_any_new_file(tmp_path):
    plain, path = tmp_path / "plain", tmp_path / "x.safetensors"
    plain.touch()
    checkpoints.save(path, {"a": torch.zeros(2)}, "mask")
    assert path.stat().st_mode == plain.stat().st_mode


def test_foreign_damaged_and_missing_files_are_refused_by_name(tmp_path):
    from safetensors.torch import save_file

    with pytest.raises(UserError, match=r"gone\.safetensors: no such file"):
        checkpoints.load(tmp_path / "gone.safetensors", "mask")
    damaged = tmp_path / "damaged.safetensors"
    checkpoints.save(damaged, {"a": torch.ones(100)}, "mask")
    damaged.write_bytes(damaged.read_bytes()[:-50])
    with pytest.raises(UserError, match=r"damaged\.safetensors: damaged or not a safetensors"):
        checkpoints.load(damaged, "mask")
    foreign = tmp_path / "foreign.safetensors"
    save_file({"a": torch.ones(2)}, foreign)
    with pytest.raises(UserError, match="is a file of another program; expected a graphprune mask"):
        checkpoints.load(foreign, "mask")
    checkpoints.save(foreign, {"a": torch.ones(2)}, "scores")
    with pytest.raises(UserError, match="is a graphprune scores; expected a graphprune mask"):
        checkpoints.load(foreign, "mask")


def test_restore_refuses_the_weights_of_another_network(tmp_path):
    path = tmp_path / "c.safetensors"
    checkpoints.save(path, nn.Linear(3, 2).state_dict(), "checkpoint")
    checkpoints.restore(nn.Linear(3, 2), path)
    with pytest.raises(UserError, match=r"'weight' has shape \(2, 3\); this network's is \(2, 4\)"):
        checkpoints.restore(nn.Linear(4, 2), path)
    with pytest.raises(UserError, match="has an unknown entry 'bias'"):
        checkpoints.restore(nn.Linear(3, 2, bias=False), path)
