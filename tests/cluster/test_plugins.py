"""Plug-ins on the nodes: the examples' method, network and dataset in jobs of Slurm."""

import shutil

import yaml
from cluster.workspace import LOCAL_PROFILE, ROOT, SLURM_PROFILE, Workspace

UNIT = "photo_tiles/small_cnn/seed0/finetune/active_inputs/x2"
TARGET = ["--", f"results/{UNIT}/metrics.json"]


def workspace(folder):
    """The example comparison, cut to one unit, with its plug-ins in a folder beside it."""
    config = yaml.safe_load((ROOT / "examples/comparison.yaml").read_text())
    plugins = [f"mine/{name}" for name in config["plugins"]]
    made = Workspace(
        folder,
        {
            **config,
            "results": "results",
            "plugins": plugins,
            "networks": config["networks"][:1],
            "compressions": [2],
            "train": {"epochs": 2},
            "finetune": {"epochs": 1},
            "methods": {"active_inputs": {}},
        },
    )
    (folder / "mine").mkdir()
    for name in config["plugins"]:
        shutil.copy2(ROOT / "examples" / name, folder / "mine")
    return made


def test_jobs_load_the_plugins_and_give_the_same_bytes_as_one_machine(cluster, tmp_path):
    here, there = workspace(tmp_path / "here"), workspace(tmp_path / "there")
    here.run(*LOCAL_PROFILE, *TARGET)
    there.run(*SLURM_PROFILE, *TARGET)
    assert there.units().keys() == {f"{UNIT}/metrics.json"}
    assert there.units() == here.units()
    assert there.files() == here.files()
    jobs = cluster.jobs(there.folder)
    # one of the dense network, one of the unit
    assert [state for _, state, *_ in jobs] == ["COMPLETED"] * 2
