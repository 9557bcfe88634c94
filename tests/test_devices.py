"""The device of a training: its name, what is said without a GPU, and what a GPU gives."""

import os
import re
import subprocess
import sys

import pytest
import torch
import yaml

from graphprune import devices, evaluation, models, training
from graphprune.data import Split
from graphprune.errors import UserError

has_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def test_the_cpu_is_always_there():
    assert devices.use("cpu") == torch.device("cpu")
    assert not torch.are_deterministic_algorithms_enabled()


def test_another_name_is_refused():
    with pytest.raises(UserError, match=r"^device is 'gpu'; allowed: cpu, cuda$"):
        devices.use("gpu")


def test_a_missing_gpu_is_one_line(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"^device is cuda, but \S+ shows this process no GPU.*cpu"):
        devices.use("cuda")


def workflow(root, folder, device, *arguments):
    config = yaml.safe_load((root / "workflow/presets/tiny.yaml").read_text())
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({**config, "device": device, "results": "out"}))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile")]
    command += ["--directory", str(folder), "--configfile", str(path), *arguments]
    # as on a machine without a GPU
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


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


@has_gpu
def test_a_gpu_trains_alike_and_every_time_the_same():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(400) % 4
    images = torch.randn(400, 1, 28, 28, generator=generator) + labels.view(-1, 1, 1, 1)
    split = Split(images, labels)

    def trained(device):
        model = models.build("lenet5", (1, 28, 28), 4, seed=0).to(device)
        training.train(model, split, training.Settings(3, 32, learning_rate=0.01))
        state = {name: value.cpu() for name, value in model.state_dict().items()}
        return state, evaluation.accuracy(model, split)

    gpu = devices.use("cuda")
    try:
        first, accuracy = trained(gpu)
        second, _ = trained(gpu)
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(first[name], second[name]) for name in first)
    _, on_cpu = trained("cpu")
    assert abs(accuracy - on_cpu) < 0.05
