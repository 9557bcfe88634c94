"""The workflow on a folder of images that the configuration names."""

from __future__ import annotations

import json
from pathlib import Path

import one_process
import pytest
import torch
import yaml
from image_folders import write_folder

from graphprune import data
from graphprune.models import networks
from graphprune.training import evaluation

CONFIG = {
    "results": "out",
    "data": {"folders": {"birds": {"path": "birds", "classes": 3, "size": 16}}},
    "networks": [
        {"dataset": "birds", "model": "lenet5"},
        {"dataset": "birds", "model": "lenet5", "name": "own", "checkpoint": "own.pt",
         "preprocess": {"mean": [0.5], "std": [0.25], "size": 20, "resize": 22}},
    ],
    "seeds": [0],
    "compressions": [2],
    "train": {"epochs": 2, "batch_size": 8, "augmentation": "by_dataset"},
    "finetune": {"epochs": 1, "batch_size": 8, "augmentation": "crop_flip"},
    "methods": {"snip": {}},
}  # fmt: skip


def test_a_folder_of_images_goes_through_the_workflow(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "birds", a_class=12)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG, sort_keys=False))
    own = networks.Identity("birds", "lenet5", (3, 20, 20), 3, seed=4).build()
    torch.save(own.state_dict(), tmp_path / "own.pt")
    units = [f"out/birds/{name}/seed0/finetune/snip/x2/metrics.json" for name in ("lenet5", "own")]
    jobs = one_process.run(root, tmp_path, Path("config.yaml"), *units)
    (trained,) = [job for job in jobs if job["rule"] == "train"]
    assert trained["params"]["settings"]["augmentation"] == "resized_crop_flip"
    metrics = [json.loads((tmp_path / unit).read_text()) for unit in units]
    for found in metrics:  # a share of the 36 test images
        hits = found["accuracy_finetuned"] * 36
        assert abs(hits - round(hits)) < 1e-9
    # the network taken over saw the files in its own size and scaling
    (test,) = {job["input"][0] for job in jobs if job["rule"] == "take_over"}
    monkeypatch.chdir(tmp_path)  # the folder's path is relative
    seen = data.read(test, {"mean": [0.5], "std": [0.25], "size": 20, "resize": 22}).test
    assert metrics[1]["accuracy_dense"] == evaluation.accuracy(own, seen)
