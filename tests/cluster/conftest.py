"""A real Slurm of two nodes, and runs of the workflow on it and beside it."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import yaml
from cluster.workspace import (
    LOCAL_PROFILE,
    RECORD,
    ROOT,
    SLURM,
    SLURM_PROFILE,
    Cluster,
    Workspace,
    kill,
)


@pytest.fixture(scope="session")
def cluster():
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    try:
        subprocess.run([SLURM, "start", str(folder)], check=True)
        yield Cluster(folder)
    finally:
        subprocess.run([SLURM, "stop", str(folder)], check=True)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def small():
    """A preset of one network and four units that are fine-tuned for seconds."""
    return {
        "experiment": "small",
        "results": "results",
        "networks": [{"dataset": "digits", "model": "mlp"}],
        "seeds": [0],
        "compressions": [2, 8],
        "train": {"epochs": 4, "learning_rate": 0.05},
        "finetune": {"epochs": 40, "learning_rate": 0.02},
        "methods": {"magnitude": {}, "random": {}},
    }


@pytest.fixture(scope="session")
def small_reference(tmp_path_factory, small):
    """The small preset, run on this machine alone."""
    workspace = Workspace(tmp_path_factory.mktemp("small") / "local", small)
    workspace.run(*LOCAL_PROFILE, *RECORD)
    return workspace


# The tests wait most of the time. What needs none of their faults is started by an early test and
# looked at by a late one.


@pytest.fixture(scope="session")
def background(tmp_path_factory):
    """A function that starts a run in a folder of its own, ended with the session."""
    runs = []

    def start(name, config, *arguments):
        workspace = Workspace(tmp_path_factory.mktemp(name) / name, config)
        runs.append(workspace.start(*arguments))
        return workspace, runs[-1]

    yield start
    for run in runs:
        kill(run)


@pytest.fixture(scope="session")
def tiny():
    return yaml.safe_load((ROOT / "workflow/presets/tiny.yaml").read_text())


@pytest.fixture(scope="session")
def tiny_here(background, tiny):
    """The tiny preset on this machine alone."""
    return background("here", tiny, *LOCAL_PROFILE)


@pytest.fixture(scope="session")
def tiny_there(cluster, background, tiny):  # noqa: ARG001
    """The tiny preset on the cluster; to be asked for when no node is to be killed any more."""
    return background("there", tiny, *SLURM_PROFILE)


@pytest.fixture(scope="session")
def training_on_gpu(cluster, background, small):  # noqa: ARG001
    """A training on a GPU, on the cluster."""
    target = "results/digits/mlp/seed0/dense/checkpoint.safetensors"
    config = {**small, "device": "cuda"}
    return background("gpu", config, *SLURM_PROFILE, "--retries", "0", "--", target)
