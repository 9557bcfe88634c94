"""The claims benchmark: its presets, which datasets it takes, and the numbers in its tables."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from graphprune.configuration.complete import complete, options
from graphprune.configuration.reading import read
from graphprune.methods import build


@pytest.fixture(scope="module")
def claims(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("claims", root / "benchmarks/probmask_claims.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def units() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    means = {
        ("finetune", "magnitude"): 0.85,
        ("finetune", "random"): 0.3,
        ("scratch", "random"): 0.4,
        ("scratch", "probmask"): 0.9,
    }
    rows = [
        {"dataset": "digits", "network": "mlp", "model": "mlp", "seed": seed, "regime": regime,
         "method": method, "compression": ratio,
         "accuracy_finetuned": mean + 0.01 * rng.normal()}
        for ratio in (20.0, 100.0)
        for (regime, method), mean in means.items()
        for seed in (2, 0, 1)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_gap_is_the_paired_difference_to_the_best_other_method(claims: ModuleType) -> None:
    table = units()
    (first, second) = claims.gaps(table)
    assert (first["compression"], second["compression"]) == (20.0, 100.0)
    assert first["candidate"] == "probmask (scratch)"
    assert first["best_other"] == "magnitude (finetune)"
    mine = table[table.compression == 20.0].set_index(["method", "seed"]).accuracy_finetuned
    difference = 100 * (mine["probmask"] - mine["magnitude"]).to_numpy()
    low, high = stats.t.interval(0.95, 2, difference.mean(), stats.sem(difference))
    assert first["gap"] == pytest.approx(difference.mean())
    assert first["half_width"] == pytest.approx((high - low) / 2)


def test_a_row_for_every_method_and_regime(claims: ModuleType) -> None:
    rows = claims.accuracies(units())
    assert len(rows) == 2 * 4
    assert all(row["seeds"] == 3 for row in rows)
    best = next(row for row in rows if row["method"] == "probmask")
    assert best["accuracy"] == pytest.approx(90, abs=2)


def test_only_datasets_that_are_there_are_run(
    claims: ModuleType, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset = yaml.safe_load((root / "workflow/presets/probmask_claims.yaml").read_text())
    network = {"dataset": "digits", "model": "mlp"}
    preset["networks"].append(network)
    config = claims.reduced(preset, tmp_path)
    assert config["networks"] == [network]
    assert config["data"] == {"folder": str(tmp_path), "download": False}
    assert str(tmp_path / "MNIST/raw") in capsys.readouterr().err


@pytest.mark.parametrize("name", ["probmask_claims", "probmask_claims_subset"])
def test_presets_give_every_method_the_same_epochs(root: Path, name: str) -> None:
    config = complete(read(root / f"workflow/presets/{name}.yaml"))
    assert config["compressions"] == [20, 50, 100]
    assert len(config["seeds"]) >= 3
    entry = config["methods"]["probmask"]
    assert entry["regimes"] == ["scratch"]
    assert entry["epochs"] == config["train"]["epochs"]
    assert entry["batch_size"] == config["train"]["batch_size"] == config["finetune"]["batch_size"]
    build("probmask", **options(entry), sparsity=0.95)
