"""The workflow's script activations: which examples it takes is what its rule says."""

import runpy
from types import SimpleNamespace

import pytest
import torch

from graphprune import checkpoints, data
from graphprune.models import networks
from graphprune.training import loop
from graphprune.training.settings import Settings

PER_CLASS = 5


@pytest.fixture(scope="module")
def half_trained(tmp_path_factory):
    """A folder with a dataset and a network that is wrong for some of the first examples."""
    folder = tmp_path_factory.mktemp("half")
    dataset = data.load("digits")
    data.save(folder / "data", dataset)
    identity = networks.Identity("digits", "mlp", dataset.input_shape, 10, seed=0)
    model = identity.build()
    loop.train(model, dataset.train, Settings(epochs=5))
    networks.save(folder / "dense", model.state_dict(), identity)
    return folder, model, dataset.train


@pytest.mark.parametrize("correct", [True, False])
def test_correct_is_passed_on(root, half_trained, tmp_path, monkeypatch, correct):
    folder, model, train = half_trained
    monkeypatch.syspath_prepend(str(root / "workflow/scripts"))
    job = SimpleNamespace(
        rule="activations",
        threads=1,
        wildcards=[],
        config={},
        log=[str(tmp_path / "log")],
        input=SimpleNamespace(checkpoint=folder / "dense", data=folder / "data"),
        output=[str(tmp_path / "activations")],
        params=SimpleNamespace(per_class=PER_CLASS, correct=correct),
    )
    runpy.run_path(str(root / "workflow/scripts/activations.py"), {"snakemake": job})
    with torch.no_grad():
        right = model.eval()(train.images).argmax(1) == train.labels
    allowed = right if correct else torch.ones_like(right)
    wanted = sorted(
        index
        for label in range(10)
        for index in (allowed & (train.labels == label)).nonzero().flatten().tolist()[:PER_CLASS]
    )
    # else the two cases would be one
    assert not right[wanted].all() or correct
    inputs = checkpoints.load(tmp_path / "activations", "calibration")[0]
    assert inputs["indices"].tolist() == wanted
