"""Records of a dense network and its units, and what a store holds of them."""

from __future__ import annotations

from pathlib import Path

from mlflow.entities import ViewType

from graphprune.files import atomic
from graphprune.tracking import Store, UnitRecord, create_store
from graphprune.tracking.runs import UNIT_TAG

GROUP = "digits/mlp/0"


def new_store(results: Path, empty: Path) -> Store:
    """A store in ``results``; empty: the file of one."""
    results.mkdir(parents=True)
    (results / "mlflow.db").write_bytes(empty.read_bytes())
    return create_store(results, "demo")


def file(folder: Path, name: str, text: str = "x") -> Path:
    """A file that replaces the one before, as results do; other names of that keep its bytes."""
    with atomic(folder / name) as temporary:
        temporary.write_text(text)
    return folder / name


def dense(folder: Path, unit: str = GROUP, **changes) -> UnitRecord:
    given = {
        "params": {"lr": 0.1, "epochs": 3},
        "metrics": {"accuracy_dense": 0.97},
        "curves": {"loss": [(1, 0.9), (2, 0.5), (3, 0.2)]},
        "tags": {"stage": "train", "commit": "abc"},
        "artifacts": {"checkpoint": [file(folder, "dense.safetensors", "weights")]},
        "start_time_ms": 1_700_000_000_000,
        "name": "digits mlp seed 0",
    }
    return UnitRecord(unit, **(given | changes))


def child(folder: Path, ratio: int = 2, group: str = GROUP, **changes) -> UnitRecord:
    given = {
        "params": {"method": "random", "compression": ratio, "options": {"alpha": 0.9}},
        "metrics": {"accuracy_finetuned": 0.9, "seconds_finetune": 1.5},
        "curves": {"accuracy_validation": [(1, 0.5), (2, 0.75)]},
        "tags": {"method": "random", "stage": "evaluate"},
        "artifacts": {"mask": [file(folder / str(ratio), "mask.safetensors", f"mask {ratio}")]},
        "shared": {"scores/random": [file(folder, "scores.safetensors", "scores")]},
        "start_time_ms": 1_700_000_100_000,
        "end_time_ms": 1_700_000_160_000,
    }
    return UnitRecord(f"{group}/random/{ratio}", **(given | changes))


def active(store: Store) -> dict[str, object]:
    runs = store.client.search_runs([store.experiment_id])
    by_unit = {run.data.tags[UNIT_TAG]: run for run in runs}
    assert len(by_unit) == len(runs)
    return by_unit


def deleted(store: Store) -> int:
    return len(store.client.search_runs([store.experiment_id], "", ViewType.DELETED_ONLY))


def history(store: Store, run_id: str, key: str) -> list[tuple[int, int, float]]:
    points = store.client.get_metric_history(run_id, key)
    return [(point.step, point.timestamp, point.value) for point in points]
