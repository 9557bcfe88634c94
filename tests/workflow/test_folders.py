"""The workflow on a folder of images that the configuration names."""

from __future__ import annotations

import json
from pathlib import Path

import one_process
import yaml
from image_folders import write_folder

CONFIG = {
    "results": "out",
    "data": {"folders": {"birds": {"path": "birds", "classes": 3, "size": 16}}},
    "networks": [{"dataset": "birds", "model": "lenet5"}],
    "seeds": [0],
    "compressions": [2],
    "train": {"epochs": 2, "batch_size": 8, "augmentation": "by_dataset"},
    "finetune": {"epochs": 1, "batch_size": 8},
    "methods": {"snip": {}},
}


def test_a_folder_of_images_goes_through_the_workflow(root: Path, tmp_path: Path) -> None:
    write_folder(tmp_path / "birds", a_class=12)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG, sort_keys=False))
    unit = "out/birds/lenet5/seed0/finetune/snip/x2/metrics.json"
    jobs = one_process.run(root, tmp_path, Path("config.yaml"), unit)
    (trained,) = [job for job in jobs if job["rule"] == "train"]
    assert trained["params"]["settings"]["augmentation"] == "resized_crop_flip"
    # a share of the 36 test images
    hits = json.loads((tmp_path / unit).read_text())["accuracy_finetuned"] * 36
    assert abs(hits - round(hits)) < 1e-9
