"""Checkpoints: read back as they were, and refused where they are not."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra import numpy as hnp
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


def test_the_same_tensors_are_the_same_bytes_in_every_process(tmp_path):
    script = (
        "import sys, torch; from graphprune import checkpoints; "
        "checkpoints.save(sys.argv[1], {'b': torch.ones(3), 'a': torch.zeros(9).bool()}, 'mask', "
        "{str(i): str(i) for i in range(20)}, {'stage': 'prune'})"
    )
    files = [tmp_path / name for name in "xyz"]
    for seed, file in enumerate(files):
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        subprocess.run([sys.executable, "-c", script, file], check=True, env=environment)
    assert len({file.read_bytes() for file in files}) == 1


def test_a_changed_bit_is_found(tmp_path):
    path = tmp_path / "x.safetensors"
    checkpoints.save(path, {"a": torch.ones(100)}, "mask")
    damaged = bytearray(path.read_bytes())
    damaged[-40] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(UserError, match="its tensors are not those that were written"):
        checkpoints.load(path, "mask")


def test_files_of_an_older_version_are_named_as_such(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "old.safetensors"
    save_file({"a": torch.ones(2)}, path, {"graphprune": "mask"})
    with pytest.raises(UserError, match="written by an older version of graphprune"):
        checkpoints.load(path, "mask")


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=0, max_dims=4, max_side=9)))
def test_booleans_come_back_from_their_bits(tmp_path_factory, bits):
    path = tmp_path_factory.mktemp("bits") / "x.safetensors"
    checkpoints.save(path, {"a": torch.from_numpy(np.array(bits))}, "mask")
    assert np.array_equal(checkpoints.load(path, "mask")[0]["a"].numpy(), bits)
