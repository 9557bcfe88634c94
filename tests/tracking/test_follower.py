"""Curves of trainings that still run: the follower, and the record that ends them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from live_curves import GROUP, LOSSES, curve, rows
from mlflow import MlflowClient
from tracking_examples import active, child, deleted, dense, history

from graphprune.tracking import Store, create_store
from graphprune.tracking.follower import Follower
from graphprune.tracking.relocation import relocate
from graphprune.tracking.runs import LIVE_TAG

UNIT = f"{GROUP}/random/2"


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("made")
    create_store(results, "demo", f"sqlite:///{results / 'mlflow.db'}")
    return results / "mlflow.db"


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Store:
    (tmp_path / "mlflow.db").write_bytes(made.read_bytes())
    return Store(tmp_path, "demo")


def follower(results: Path, after: float = 0.0) -> Follower:
    return Follower(results, "demo", after, time.time() - 1)


def finished(folder: Path, unit: str = GROUP, **changes):
    return dense(folder, unit, **({"curves": {"train/loss": LOSSES}, "metrics": {}} | changes))


def points(store: Store, unit: str, key: str = "train/loss") -> list[tuple[int, float]]:
    run_id = active(store)[unit].info.run_id
    return [(step, value) for step, _, value in history(store, run_id, key)]


def test_the_curve_grows_while_the_training_runs(store: Store, tmp_path: Path) -> None:
    following = follower(tmp_path)
    with curve(tmp_path) as write:
        following.step(time.time())
        assert active(store) == {}
        for count, row in enumerate(rows(3), 1):
            write(row)
            following.step(time.time())
            assert points(store, GROUP) == LOSSES[:count]
        run = active(store)[GROUP]
        assert run.info.status == "RUNNING"
        assert run.data.tags[LIVE_TAG] == "true"
        assert set(run.data.metrics) == {"train/loss"}


def test_a_short_training_is_left_alone(store: Store, tmp_path: Path) -> None:
    following = follower(tmp_path, after=60)
    with curve(tmp_path) as write:
        write(rows(1)[0])
        following.step(time.time())
        assert active(store) == {}
        assert following.store is None  # MLflow was not opened at all
        following.step(time.time() + 61)
        assert points(store, GROUP) == LOSSES[:1]


def test_the_record_completes_the_live_run(store: Store, tmp_path: Path) -> None:
    following = follower(tmp_path)
    with curve(tmp_path) as write:
        for row in rows(2):
            write(row)
        following.step(time.time())
    live = active(store)[GROUP].info.run_id
    record = finished(tmp_path)
    assert store.record(record) == {GROUP: live}
    following.step(time.time())
    following.end()
    run = active(store)[GROUP]
    assert points(store, GROUP) == LOSSES
    assert (run.info.status, run.data.tags[LIVE_TAG]) == ("FINISHED", "false")
    assert run.data.params == {"lr": "0.1", "epochs": "3"}
    assert store.record(record) == {GROUP: live}
    assert deleted(store) == 0


def test_a_record_interrupted_on_a_live_run_is_completed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = follower(tmp_path)
    with curve(tmp_path) as write:
        write(rows(1)[0])
        following.step(time.time())
    live = active(store)[GROUP].info.run_id
    record = finished(tmp_path, metrics={"accuracy_dense": 0.9})

    def without_tags(run_id: str, **batch: object) -> None:
        log_batch(run_id, params=batch["params"], metrics=batch["metrics"])
        raise KeyboardInterrupt

    log_batch = store.client.log_batch
    with monkeypatch.context() as patch:
        patch.setattr(store.client, "log_batch", without_tags)
        with pytest.raises(KeyboardInterrupt):
            store.record(record)
    assert active(store)[GROUP].data.metrics["accuracy_dense"] == 0.9
    assert store.record(record) == {GROUP: live}
    assert points(store, GROUP) == LOSSES


def test_a_unit_is_followed_below_its_dense_network(store: Store, tmp_path: Path) -> None:
    following = follower(tmp_path)
    with curve(tmp_path, UNIT, "finetune", method="random") as write:
        write(rows(1)[0])
        following.step(time.time())
    runs = active(store)
    assert runs[UNIT].data.tags["mlflow.parentRunId"] == runs[GROUP].info.run_id
    assert runs[UNIT].data.tags["method"] == "random"
    unit = child(tmp_path, group=GROUP, curves={"finetune/loss": LOSSES})
    recorded = store.record(finished(tmp_path), [unit])
    assert recorded == {name: run.info.run_id for name, run in runs.items()}
    assert points(store, UNIT, "finetune/loss") == LOSSES


def test_another_curve_than_the_followed_replaces_the_run(store: Store, tmp_path: Path) -> None:
    following = follower(tmp_path)
    with curve(tmp_path) as write:
        write({"epoch": 1, "loss": 0.8, "seconds": 1.0})
        following.step(time.time())
    live = active(store)[GROUP].info.run_id
    assert store.record(finished(tmp_path))[GROUP] != live
    assert points(store, GROUP) == LOSSES


def test_a_training_again_gets_a_run_and_keeps_the_children(store: Store, tmp_path: Path) -> None:
    unit = child(tmp_path, group=GROUP)
    first = store.record(finished(tmp_path), [unit])
    following = follower(tmp_path)
    with curve(tmp_path) as write:
        write(rows(1)[0])
        following.step(time.time())
    runs = active(store)
    assert runs[GROUP].info.run_id != first[GROUP]
    assert runs[unit.unit].data.tags["mlflow.parentRunId"] == runs[GROUP].info.run_id
    assert points(store, GROUP) == LOSSES[:1]


def test_a_stopped_workflow_marks_its_runs_and_the_next_goes_on(
    store: Store, tmp_path: Path
) -> None:
    following = follower(tmp_path)
    with curve(tmp_path) as write:
        write(rows(1)[0])
        following.step(time.time())
        following.end()
    assert active(store)[GROUP].info.status == "KILLED"
    again = follower(tmp_path)
    with curve(tmp_path) as write:
        for row in rows(2):
            write(row)
        again.step(time.time())
        assert active(store)[GROUP].info.status == "RUNNING"
    assert points(store, GROUP) == LOSSES[:2]
    store.record(finished(tmp_path))
    assert points(store, GROUP) == LOSSES
    assert deleted(store) == 0


def test_the_follower_ends_with_its_input(root: Path, made: Path, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(made.read_bytes())
    relocate(tmp_path, f"sqlite:///{tmp_path / 'mlflow.db'}")
    command = [sys.executable, "-m", "graphprune.tracking.follower", "--after", "0"]
    command += ["--results", str(tmp_path), "--experiment", "demo"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (experiment,) = (e.experiment_id for e in client.search_experiments() if e.name == "demo")
    with curve(tmp_path) as write:
        write(rows(1)[0])
        end = time.monotonic() + 60
        while not (found := client.search_runs([experiment])) or not found[0].data.metrics:
            assert process.poll() is None
            assert time.monotonic() < end
            # what was written before the follower began may be left by a killed training
            os.utime(write.path)
            time.sleep(0.2)
        assert found[0].data.metrics == {"train/loss": 0.9}
        process.stdin.close()
        assert process.wait(30) == 0
    assert client.get_run(found[0].info.run_id).info.status == "KILLED"
    assert (tmp_path / "logs/live.log").read_text() == ""
