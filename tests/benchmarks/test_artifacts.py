"""What a unit leaves on disk is counted as a file system counts it."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
from pathlib import Path
from types import ModuleType

import pytest
from benchmark_scripts import benchmark

from graphprune.errors import UserError

UNIT = "digits/mlp/seed0/finetune"


@pytest.fixture(scope="module")
def artifacts(root: Path) -> ModuleType:
    return benchmark(root, "artifacts")


def write(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two units of 800 prunable weights and 10 biases; 100 and 8 of the weights are kept."""
    folder = tmp_path / "results"
    methods = {
        "magnitude": {"method": "magnitude", "regimes": ["finetune"]},
        "probmask": {"method": "probmask", "regimes": ["finetune"], "epochs": 3},
    }
    write(folder / "config.json", 0).write_text(json.dumps({"methods": methods}))
    header = b"{}".ljust(16)
    content = struct.pack("<Q", len(header)) + header + bytes(4 * 810)
    write(folder / "digits/mlp/seed0/dense/checkpoint.safetensors", 0).write_bytes(content)
    store = sqlite3.connect(folder / "mlflow.db")
    store.execute("CREATE TABLE runs (run_uuid, lifecycle_stage, artifact_uri)")
    store.execute("CREATE TABLE tags (key, value, run_uuid)")
    store.execute("CREATE TABLE metrics (run_uuid)")
    for label, kept in (("magnitude", 100), ("probmask", 8)):
        unit = folder / UNIT / label / "x8"
        mask = write(unit / "mask.safetensors", 5000)
        write(unit / "metrics.json", 0).write_text(
            json.dumps({"params_total": 800, "params_kept": kept})
        )
        run = folder / "mlartifacts/1" / label / "artifacts"
        write(run / "model/MLmodel", 700)
        os.link(mask, run / "model/mask.safetensors")
        log = f"logs/units_1/digits-mlp-seed0-finetune-{label}.log"
        write(folder / log, 100)
        write(folder / "mlartifacts/1/parent/artifacts" / log, 100)
        store.execute("INSERT INTO runs VALUES (?, 'active', ?)", (label, run.as_uri()))
        store.execute(
            "INSERT INTO tags VALUES ('graphprune.unit', ?, ?)", (f"{UNIT}/{label}/x8", label)
        )
        store.execute("INSERT INTO tags VALUES ('method', ?, ?)", (label, label))
        store.executemany("INSERT INTO metrics VALUES (?)", [(label,)] * 6)
    store.commit()
    store.close()
    return folder


def test_files_bytes_and_rows_of_units_are_those_of_a_count_by_hand(
    artifacts: ModuleType, results: Path
) -> None:
    magnitude, probmask = artifacts.units(results)
    for unit in (magnitude, probmask):
        # mask twice, metrics, MLmodel, log twice
        assert (unit.names, len(unit.inodes)) == (6, 3)
        # the mask takes two blocks of 4 096 bytes, the others one each
        assert unit.bytes == 4096 * (2 + 1 + 1 + 1 + 1)
        # one of runs, two of tags, six of metrics
        assert unit.rows == 9
        assert unit.database == (results / "mlflow.db").stat().st_size / 2
        assert unit.within
    assert magnitude.bound == pytest.approx(1.2 * (800 / 8 + 4 * 100 + 4 * 10) + 64_000)
    assert probmask.bound == pytest.approx(1.2 * (800 / 8 + 2 * 4 * 8 + 4 * 10) + 64_000)


def test_a_unit_of_too_many_files_or_bytes_is_over_its_budget(
    artifacts: ModuleType, results: Path
) -> None:
    for number in range(5):
        write(results / UNIT / f"magnitude/x8/{number}", 1)
    write(results / UNIT / "probmask/x8/large", 70_000)
    assert [unit.within for unit in artifacts.units(results)] == [False, False]


def test_logs_are_shared_by_the_units_of_a_method(artifacts: ModuleType, results: Path) -> None:
    metrics = results / UNIT / "magnitude/x8/metrics.json"
    write(results / UNIT / "magnitude/x2/metrics.json", 0).write_bytes(metrics.read_bytes())
    # not recorded yet: no copy of a log of its own, and no rows
    second, first, _ = artifacts.units(results)
    assert first.logs == (1, 4096)
    assert second.logs == (0.5, 2048)
    assert second.rows == 0


def test_a_run_whose_artifacts_are_elsewhere_is_not_counted_as_empty(
    artifacts: ModuleType, results: Path
) -> None:
    (results / "mlartifacts").rename(results / "moved")
    with pytest.raises(UserError, match="make ui"):
        artifacts.units(results)
