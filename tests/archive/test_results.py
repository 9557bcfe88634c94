"""What of a results folder goes into an archive."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from graphprune import checkpoints
from graphprune.archive import results
from graphprune.errors import UserError

CONFIG = {"results": "/home/anna/out", "data": {"folder": "/data", "download": True},
          "networks": [], "seeds": [0]}  # fmt: skip
FILES = {
    "data/digits.safetensors": "dataset",
    "digits/mlp/seed0/dense/activations.safetensors": "calibration",
    "digits/mlp/seed0/dense/checkpoint.safetensors": "checkpoint",
    "digits/mlp/seed0/finetune/magnitude/scores.safetensors": "scores",
    "digits/mlp/seed0/finetune/magnitude/x2/finetuned.safetensors": "checkpoint",
    "digits/mlp/seed0/finetune/magnitude/x2/mask.safetensors": "mask",
}
PLAIN = ["metrics.csv", "figures/cost.svg", "made/metrics.parquet.json"]
APART = ["logs/train/a.log", "mlflow.db", "mlflow.db-wal", "mlartifacts/1/a", "report.html",
         "tracking/store.json", "made/tracking/store.json.json", ".12.metrics.csv"]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, kind in FILES.items():
        checkpoints.save(tmp_path / name, {"t": torch.arange(3)}, kind)
    for name in PLAIN + APART:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, "plugins": []}))
    return tmp_path


@pytest.mark.parametrize("weights", [False, True])
def test_images_never_and_weights_when_asked_for(folder: Path, weights: bool) -> None:
    packed = {entry.name: entry for entry in results.entries(folder, weights)}
    kinds = {"mask", "checkpoint", "scores"} if weights else {"mask"}
    tensors = [name for name, kind in FILES.items() if kind in kinds]
    own = ["configuration.yaml", "results/config.json", "results/left_out.json"]
    assert sorted(packed) == sorted([*own, *(f"results/{name}" for name in PLAIN + tensors)])
    left_out = json.loads(packed["results/left_out.json"].content())
    content = checkpoints.content_of({"t": torch.arange(3)})
    assert left_out.pop("made")
    assert left_out == {name: content for name, kind in FILES.items() if kind not in kinds}


def test_the_configuration_names_no_place_of_this_machine(folder: Path) -> None:
    packed = {entry.name: entry for entry in results.entries(folder, weights=False)}
    config = json.loads(packed["results/config.json"].content())
    assert config == {
        **CONFIG, "results": "results", "data": {"folder": "data", "download": True}, "plugins": [],
    }  # fmt: skip


def test_a_plugin_is_packed_under_the_name_that_its_code_has(folder: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text("x = 1\n")
    (folder / "config.json").write_text(json.dumps({**CONFIG, "plugins": [str(plugin)]}))
    packed = {entry.name: entry for entry in results.entries(folder, weights=False)}
    assert packed["mine.py"].content() == b"x = 1\n"
    assert json.loads(packed["results/config.json"].content())["plugins"] == ["mine.py"]


@pytest.mark.parametrize("config", ["{}", '{"plugins": 1}', '{"plugins": [], "data": 1}', "[]"])
def test_what_is_no_configuration_is_one_line(folder: Path, config: str) -> None:
    (folder / "config.json").write_text(config)
    with pytest.raises(UserError, match=r"config\.json: .*configuration of a run"):
        list(results.entries(folder, weights=False))
