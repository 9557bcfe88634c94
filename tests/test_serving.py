"""A recorded network of a plug-in brings the plug-in's file along, and is loaded by it."""

import os
import shutil
import subprocess
import sys

import mlflow
import numpy as np
import pytest
import torch

from graphprune import plugins
from graphprune.models import MODELS, networks, pruned
from graphprune.serving import Classifier
from graphprune.tracking.models import ModelFormat
from graphprune.tracking.records import model_format

# logits are the inputs' sum, scaled
PLUGIN = """
import torch
from torch import nn
import graphprune

class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        total = {scale} * self.weight * x.flatten(1).sum(1, keepdim=True)
        return total.expand(-1, 2)

@graphprune.register_model("scaled")
def build(input_shape, num_classes):
    return Scaled()
"""


@pytest.fixture(autouse=True)
def _alone():
    with plugins.only_plugins([]):
        yield


def recorded(folder, plugin):
    """A folder like that of a model in MLflow, of a network of the plug-in file."""
    with plugins.only_plugins([plugin]):
        identity = networks.Identity("any", "scaled", (1, 2, 2), 2, 0)
        weights = folder / "finetuned.safetensors"
        mask = folder / "mask.safetensors"
        pruned.save(mask, {"weight": torch.ones(1, dtype=torch.bool)})
        networks.save(weights, identity.build().state_dict(), identity, mask=mask)
        form = ModelFormat(folder / "form", np.ones((1, 1, 2, 2), np.float32), 2, weights,
                           plugins.file_of(MODELS, "scaled"))  # fmt: skip
        files = form.pruned("unit", weights, mask)
    for target, paths in files.items():
        (folder / "run" / target).mkdir(parents=True, exist_ok=True)
        for path in paths:
            shutil.copy2(path, folder / "run" / target)
    return folder / "run/model"


def predicted(model):
    return mlflow.pyfunc.load_model(str(model)).predict(np.ones((1, 1, 2, 2), np.float32))[0, 0]


def test_every_model_is_loaded_by_the_version_it_was_recorded_with(tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(PLUGIN.format(scale=2))
    first = recorded(tmp_path / "first", plugin)
    plugin.write_text(PLUGIN.format(scale=3))
    second = recorded(tmp_path / "second", plugin)
    plugin.write_text(PLUGIN.format(scale=5))
    plugins.load_plugin(plugin)
    for _ in range(2):
        assert (predicted(first), predicted(second)) == (8, 12)
    # what the process had loaded is there as before
    assert plugins.file_of(MODELS, "scaled") == plugin
    assert MODELS["scaled"].function()((1, 2, 2), 2)(torch.ones(1, 1, 2, 2))[0, 0] == 20


def test_a_process_without_the_plugin_is_left_without_it(tmp_path):
    plugin = tmp_path / "mine.py"
    plugin.write_text(PLUGIN.format(scale=2))
    model = recorded(tmp_path / "one", plugin)
    plugin.unlink()
    assert predicted(model) == 8
    assert "scaled" not in MODELS


def test_only_a_plugin_s_file_is_recorded(tmp_path):
    identity = networks.Identity("digits", "mlp", (1, 8, 8), 10, 0)
    weights = tmp_path / "weights.safetensors"
    networks.save(weights, identity.build().state_dict(), identity)
    form = model_format(tmp_path / "form", weights, np.ones((1, 1, 8, 8), np.float32))
    assert form.dense("unit", weights).keys() == {"model", "model/data"}


def test_a_network_of_an_installed_package_brings_no_file(root, tmp_path):
    (tmp_path / "scaling.py").write_text(PLUGIN.format(scale=2))
    about = tmp_path / "scaling-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: scaling\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[graphprune.plugins]\nany = scaling\n")
    program = """
from graphprune import plugins
from graphprune.models.catalog import MODELS
print("scaled" in MODELS, MODELS.source("scaled"))
print(plugins.file_of(MODELS, "scaled"))
"""
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{tmp_path}"}
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout == f"True {tmp_path / 'scaling.py'}\nNone\n"


def test_a_checkpoint_elsewhere_runs_no_code_beside_it(tmp_path):
    identity = networks.Identity("digits", "mlp", (1, 8, 8), 10, 0)
    networks.save(tmp_path / "c.safetensors", identity.build().state_dict(), identity)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/bad.py").write_text("raise RuntimeError")
    (tmp_path / "bad.py").write_text("raise RuntimeError")
    classifier = Classifier.load(tmp_path / "c.safetensors")
    assert classifier.predict(np.zeros((1, 1, 8, 8))).shape == (1, 10)
