"""One shared server, MLflow on PostgreSQL: what it keeps when it, or its database, goes away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from mlflow.artifacts import download_artifacts
from services.conftest import free_port
from tracking_examples import active, child, deleted, dense, file, history

from graphprune.errors import UserError
from graphprune.tracking import Patience, Store, create_store
from graphprune.tracking.postgres import Postgres
from graphprune.tracking.server import Server, answers, mlflow_server

RATIOS = range(2, 14)


class Restartable:
    """``mlflow server`` that can be killed and started again on the same port."""

    def __init__(self, server: Server, postgres: Postgres) -> None:
        self.server = server
        self.environment = server.environment(postgres.uri("mlflow"), postgres.uri("users"))
        self.stack = ExitStack()
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        self.process = self.stack.enter_context(mlflow_server(self.server, self.environment))
        return self.process

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def restartable(server: Server, postgres: Postgres) -> Iterator[Restartable]:
    postgres.create("mlflow")
    process = Restartable(server, postgres)
    with process.stack:
        yield process


@pytest.fixture
def running_server(restartable: Restartable) -> Server:
    assert answers(restartable.server.address)
    return restartable.server


def in_the_background(function, *arguments) -> tuple[threading.Thread, list[object]]:
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(function(*arguments)))
    thread.start()
    return thread, results


def wait_for_runs(store: Store, count: int) -> None:
    end = time.monotonic() + 60
    while len(store.client.search_runs([store.experiment_id])) < count:
        assert time.monotonic() < end
        time.sleep(0.02)


def assert_all_recorded_once(store: Store, recorded: list[object], folder: Path) -> None:
    (runs,) = recorded
    assert {unit: run.info.run_id for unit, run in active(store).items()} == runs
    assert deleted(store) == 0
    assert {run.info.status for run in active(store).values()} == {"FINISHED"}
    for unit, run_id in runs.items():
        if unit.endswith("seed0"):
            assert [point[::2] for point in history(store, run_id, "loss")] == [
                (1, 0.9), (2, 0.5), (3, 0.2)
            ]  # fmt: skip
            continue
        ratio = unit.rpartition("/")[2]
        assert len(history(store, run_id, "accuracy_validation")) == 2
        assert store.client.get_run(run_id).data.metrics["seconds_finetune"] == 1.5
        copy = download_artifacts(
            run_id=run_id, artifact_path="mask/mask.safetensors",
            tracking_uri=store.uri, dst_path=str(folder / f"copy{ratio}"),
        )  # fmt: skip
        assert Path(copy).read_text() == f"mask {ratio}"


GROUP = "digits/mlp/seed0"


def units(folder: Path):
    return dense(folder, GROUP), [child(folder, ratio, GROUP) for ratio in RATIOS]


def test_a_server_killed_in_mid_recording_delays_and_loses_nothing(
    restartable: Restartable, store: Store, tmp_path: Path
) -> None:
    thread, recorded = in_the_background(store.record, *units(tmp_path))
    wait_for_runs(store, 4)
    restartable.kill()
    assert not answers(restartable.server.address)
    time.sleep(3)
    assert thread.is_alive()
    restartable.start()
    thread.join(120)
    assert_all_recorded_once(store, recorded, tmp_path)


def test_a_database_restarted_in_mid_recording_delays_and_loses_nothing(
    store: Store, postgres: Postgres, tmp_path: Path
) -> None:
    thread, recorded = in_the_background(store.record, *units(tmp_path))
    wait_for_runs(store, 4)
    postgres.stop()
    time.sleep(2)
    assert thread.is_alive()
    postgres.start()
    thread.join(120)
    assert_all_recorded_once(store, recorded, tmp_path)


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from tracking_examples import child, dense
from graphprune.tracking import Store
folder = Path(sys.argv[3])
group, ratios = {group!r}, {ratios!r}
store = Store(folder, sys.argv[4], sys.argv[5])
store.record(dense(folder, group), [child(folder, ratio, group) for ratio in ratios])
"""


def test_a_job_that_runs_twice_has_one_run(root: Path, store: Store, tmp_path: Path) -> None:
    units(tmp_path)
    program = WRITER.format(group=GROUP, ratios=list(RATIOS))
    name = store.client.get_experiment(store.experiment_id).name
    command = [sys.executable, "-c", program, root, root / "tests", tmp_path, name, store.uri]
    writers = [subprocess.Popen(command) for _ in range(2)]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    runs = {unit: run.info.run_id for unit, run in active(store).items()}
    assert len(runs) == 1 + len(RATIOS)
    assert_all_recorded_once(store, [runs], tmp_path)


def test_a_run_whose_creation_was_answered_into_the_void_is_found_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, lost = store.client.create_run, []

    def answer_lost(*arguments, **options):
        run = create(*arguments, **options)
        if not lost:
            lost.append(run)
            raise requests.exceptions.ConnectionError("the answer did not arrive")
        return run

    monkeypatch.setattr(store.client, "create_run", answer_lost)
    recorded = store.record(dense(tmp_path, GROUP))
    assert recorded == {GROUP: lost[0].info.run_id}
    assert_all_recorded_once(store, [recorded], tmp_path)


def test_patience_ends_in_one_line_and_the_next_job_records(store: Store, tmp_path: Path) -> None:
    nobody = f"http://anna:secret@127.0.0.1:{free_port()}"
    with pytest.raises(UserError) as caught:
        create_store(tmp_path / "results", "demo", nobody, Patience(0.3))
    message = str(caught.value)
    assert "did not answer for 0.3 s" in message
    assert "the next run of snakemake records them" in message
    assert "\n" not in message
    assert "secret" not in message
    recorded = store.record(*units(tmp_path))
    assert_all_recorded_once(store, [recorded], tmp_path)


def test_artifacts_lie_with_the_server(store: Store, server: Server, tmp_path: Path) -> None:
    runs = store.record(dense(tmp_path, GROUP, artifacts={"big": [file(tmp_path, "b", "content")]}))
    assert store.client.get_run(runs[GROUP]).info.artifact_uri.startswith("mlflow-artifacts:/")
    (kept,) = (server.folder / "artifacts").glob(f"*/{runs[GROUP]}/artifacts/big/b")
    assert kept.read_text() == "content"
    assert not (tmp_path / "results" / "mlartifacts").exists()
