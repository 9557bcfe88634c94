"""The device of a training: its name, what is said without a GPU, and what a GPU gives."""

import os
import re

import pytest
import torch

from graphprune import models
from graphprune.data import Split
from graphprune.errors import UserError
from graphprune.training import devices, evaluation, loop

has_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def test_the_cpu_is_always_there():
    assert devices.use("cpu") == torch.device("cpu")
    assert not torch.are_deterministic_algorithms_enabled()


def test_another_name_is_refused():
    with pytest.raises(UserError, match=r"^device is 'gpu'; allowed: cpu, cuda$"):
        devices.use("gpu")


@pytest.mark.parametrize(
    ("built", "reason"), [("13.0", ""), (None, ", and this torch is built without CUDA")]
)
def test_a_missing_gpu_is_one_line(monkeypatch, built, reason):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", built)
    with pytest.raises(UserError) as caught:
        devices.use("cuda")
    assert re.fullmatch(
        rf"device is cuda, but \S+ shows this process no GPU{reason}; "
        "allowed: cpu, or a machine with a GPU",
        str(caught.value),
    )


@pytest.mark.parametrize("chosen", [None, ":16:8"])
def test_a_gpu_may_only_use_what_gives_the_same_bits(monkeypatch, chosen):
    name = "CUBLAS_WORKSPACE_CONFIG"  # NVIDIA's, and so are the two values it may have
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv(name, chosen or "")
    if chosen is None:
        monkeypatch.delenv(name)
    asked = []
    monkeypatch.setattr(torch, "use_deterministic_algorithms", lambda *said: asked.append(said))
    assert devices.use("cuda") == torch.device("cuda")
    assert asked == [(True,)]
    assert os.environ[name] == (chosen or ":4096:8")


@has_gpu
def test_a_gpu_trains_alike_and_every_time_the_same():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(400) % 4
    images = torch.randn(400, 1, 28, 28, generator=generator) + labels.view(-1, 1, 1, 1)
    split = Split(images, labels)

    def trained(device):
        model = models.build("lenet5", (1, 28, 28), 4, seed=0).to(device)
        loop.train(model, split, loop.Settings(3, 32, learning_rate=0.01))
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
