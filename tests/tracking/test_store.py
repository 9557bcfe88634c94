"""The MLflow record, on real SQLite stores read back through MLflow's own client."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient
from tracking_examples import GROUP, active, child, deleted, dense, file, history, new_store

from graphprune.errors import UserError
from graphprune.tracking import Store, create_store
from graphprune.tracking.lineage import DIGEST_TAG, FILES_TAG
from graphprune.tracking.runs import GROUP_TAG, UNDEFINED_TAG, UNIT_TAG
from graphprune.tracking.view import FILTER, NOTE_TAG, ORDER, VIEW_TAG, path


@pytest.fixture
def results(empty_store: Path, tmp_path: Path) -> Path:
    new_store(tmp_path / "results", empty_store)
    return tmp_path / "results"


@pytest.fixture
def store(results: Path) -> Store:
    return Store(results, "demo")


def test_a_record_holds_everything(store: Store, tmp_path: Path) -> None:
    runs = store.record(dense(tmp_path), [child(tmp_path, 2), child(tmp_path, 4)])
    assert set(runs) == {GROUP, f"{GROUP}/random/2", f"{GROUP}/random/4"}
    parent = store.client.get_run(runs[GROUP])
    unit = store.client.get_run(runs[f"{GROUP}/random/4"])
    assert parent.data.params == {"lr": "0.1", "epochs": "3"}
    assert parent.data.metrics == {"accuracy_dense": 0.97, "loss": 0.2}
    assert parent.info.run_name == "digits mlp seed 0"
    assert unit.info.run_name == f"{GROUP}/random/4"
    assert unit.data.params["options"] == "{'alpha': 0.9}"
    assert unit.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert unit.data.tags["stage"] == "evaluate"
    assert "mlflow.parentRunId" not in parent.data.tags
    assert {parent.info.status, unit.info.status} == {"FINISHED"}
    start = 1_700_000_100_000
    assert (unit.info.start_time, unit.info.end_time) == (start, start + 60_000)
    expected = [(1, start + 1, 0.5), (2, start + 2, 0.75)]
    assert history(store, unit.info.run_id, "accuracy_validation") == expected


def test_recording_again_changes_nothing(store: Store, tmp_path: Path) -> None:
    units = dense(tmp_path), [child(tmp_path, 2), child(tmp_path, 4)]
    first = store.record(*units)
    before = {unit: run.to_dictionary() for unit, run in active(store).items()}
    assert store.record(*units) == first
    assert {unit: run.to_dictionary() for unit, run in active(store).items()} == before
    assert deleted(store) == 0
    assert len(history(store, first[GROUP], "loss")) == 3
    assert len(history(store, first[GROUP], "accuracy_dense")) == 1


def test_new_numbers_tags_and_files_update_the_run(store: Store, tmp_path: Path) -> None:
    first = store.record(dense(tmp_path), [child(tmp_path)])
    again = child(
        tmp_path,
        metrics={"accuracy_finetuned": 0.8, "seconds_finetune": 1.25, "flops_kept": 7.0},
        tags={"method": "random", "stage": "report"},
    )
    file(tmp_path / "2", "mask.safetensors", "another")
    assert store.record(dense(tmp_path), [again]) == first
    run = active(store)[again.unit]
    assert run.data.metrics["accuracy_finetuned"] == 0.8  # smaller, and still the one shown
    assert run.data.metrics["seconds_finetune"] == 1.25
    assert run.data.metrics["flops_kept"] == 7.0
    assert run.data.tags["stage"] == "report"
    copy = store.client.download_artifacts(run.info.run_id, "mask/mask.safetensors", str(tmp_path))
    assert Path(copy).read_text() == "another"
    assert deleted(store) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"params": {"method": "random", "compression": 2, "options": {"alpha": 0.5}}},
        {"params": {"method": "random"}},
        {"curves": {"accuracy_validation": [(1, 0.5), (2, 0.8)]}},
        {"curves": {"accuracy_validation": [(1, 0.5)]}},
        {"metrics": {"accuracy_finetuned": 0.9}},
    ],
)
def test_what_mlflow_cannot_change_replaces_the_run(
    store: Store, tmp_path: Path, change: dict[str, object]
) -> None:
    first = store.record(dense(tmp_path), [child(tmp_path, 2), child(tmp_path, 4)])
    changed = child(tmp_path, 2, **change)
    second = store.record(dense(tmp_path), [changed, child(tmp_path, 4)])
    assert second[changed.unit] != first[changed.unit]
    assert {unit for unit in first if first[unit] != second[unit]} == {changed.unit}
    run = active(store)[changed.unit]
    assert run.data.params == {key: str(value) for key, value in changed.params.items()}
    points = history(store, run.info.run_id, "accuracy_validation")
    assert [(step, value) for step, _, value in points] == changed.curves["accuracy_validation"]
    assert set(run.data.metrics) == {*changed.metrics, "accuracy_validation"}
    assert deleted(store) == 1


def test_children_follow_a_replaced_parent(store: Store, tmp_path: Path) -> None:
    first = store.record(dense(tmp_path), [child(tmp_path, 2), child(tmp_path, 4)])
    second = store.record(dense(tmp_path, params={"lr": 0.2}), [child(tmp_path, 2)])
    assert second[GROUP] != first[GROUP]
    runs = active(store)
    assert len(runs) == 3
    for ratio in (2, 4):
        run = runs[f"{GROUP}/random/{ratio}"]
        assert run.data.tags["mlflow.parentRunId"] == second[GROUP]
        assert run.info.run_id == first[f"{GROUP}/random/{ratio}"]


def test_an_interrupted_record_is_completed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    units = dense(tmp_path), [child(tmp_path)]
    with monkeypatch.context() as patch:
        patch.setattr(store.client, "set_terminated", killed)
        with pytest.raises(KeyboardInterrupt):
            store.record(*units)
    runs = store.record(*units)
    assert set(active(store)) == set(runs)
    assert len(history(store, runs[GROUP], "loss")) == 3
    assert {run.info.status for run in active(store).values()} == {"FINISHED"}


def test_a_run_names_its_files_only_when_they_are_there(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    store.record(dense(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(store, "_bring", killed)
        with pytest.raises(KeyboardInterrupt):
            store.record(dense(tmp_path / "other", "digits/mlp/1"))
    assert DIGEST_TAG not in active(store)["digits/mlp/1"].data.tags
    bring, calls = store._bring, []

    def killed_at_the_unit(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        bring(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(store, "_bring", killed_at_the_unit)
        with pytest.raises(KeyboardInterrupt):
            store.record(dense(tmp_path), [child(tmp_path)])
    assert FILES_TAG not in active(store)[f"{GROUP}/random/2"].data.tags


def test_where_artifacts_are_no_folder_here_they_are_uploaded(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as for an MLflow server, whose artifacts only it can reach
    for module in ("store", "lineage"):
        monkeypatch.setattr(f"graphprune.tracking.{module}.local_folder", lambda _: None)
    parent, unit = dense(tmp_path), child(tmp_path)
    runs = store.record(parent, [unit])

    def text(run_id: str, path: str) -> str:
        folder = tmp_path / "downloaded"
        folder.mkdir(exist_ok=True)
        return Path(store.client.download_artifacts(run_id, path, str(folder))).read_text()

    assert text(runs[unit.unit], "mask/mask.safetensors") == "mask 2"
    assert text(runs[GROUP], "scores/random/scores.safetensors") == "scores"
    uploads: list[list[str]] = []
    upload = store._upload

    def counted(run_id: str, files, texts) -> None:
        uploads.append([one.target for one in files])
        upload(run_id, files, texts)

    monkeypatch.setattr(store, "_upload", counted)
    file(tmp_path / "2", "mask.safetensors", "another")
    assert store.record(parent, [unit]) == runs
    assert uploads == [["mask/mask.safetensors"]]
    assert text(runs[unit.unit], "mask/mask.safetensors") == "another"
    assert store.record(parent, [unit]) == runs
    assert len(uploads) == 1


def test_copies_of_a_run_are_removed(store: Store, tmp_path: Path) -> None:
    first = store.record(dense(tmp_path), [child(tmp_path)])
    run = store.client.get_run(first[GROUP])
    marks = (UNIT_TAG, GROUP_TAG)
    tags = {key: run.data.tags[key] for key in marks}
    store.client.create_run(store.experiment_id, run.info.start_time + 1, tags)
    assert store.record(dense(tmp_path), [child(tmp_path)]) == first
    assert len(active(store)) == 2


def test_undefined_metrics_are_left_out_and_named(store: Store, tmp_path: Path) -> None:
    record = dense(
        tmp_path,
        metrics={"a": float("nan"), "b": None, "c": float("inf"), "d": 0.5},
        curves={"loss": [(1, float("nan")), (2, 0.5)]},
    )
    runs = store.record(record)
    run = store.client.get_run(runs[GROUP])
    assert run.data.metrics == {"d": 0.5, "loss": 0.5}
    assert run.data.tags[UNDEFINED_TAG] == "a b c loss"
    assert store.record(record) == runs


def test_long_records_are_logged_in_portions(store: Store, tmp_path: Path) -> None:
    record = dense(
        tmp_path,
        params={f"p{i}": i for i in range(250)},
        curves={"loss": [(i, 1 / (i + 1)) for i in range(2100)]},
    )
    run_id = store.record(record)[GROUP]
    assert len(store.client.get_run(run_id).data.params) == 250
    assert len(history(store, run_id, "loss")) == 2100


def test_attached_files_join_the_run(store: Store, tmp_path: Path) -> None:
    store.record(dense(tmp_path))
    store.attach(GROUP, [file(tmp_path, "report.html")], "report")
    run_id = active(store)[GROUP].info.run_id
    assert [entry.path for entry in store.client.list_artifacts(run_id, "report")] == [
        "report/report.html"
    ]
    with pytest.raises(UserError, match="'digits/mlp/7' has no run"):
        store.attach("digits/mlp/7", [], "report")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda folder: dense(folder, unit="a'b"), "without quotes"),
        (lambda folder: dense(folder, metrics={"loss": 1.0}), "both a metric and a curve"),
        (lambda folder: dense(folder, params={"p": "x" * 6001}), "6001 characters"),
        (lambda folder: dense(folder, artifacts={"m": [folder / "none"]}), "none cannot be read"),
        (
            lambda folder: dense(
                folder, artifacts={"m": [file(folder, "f"), file(folder / "b", "f")]}
            ),
            "would both be m/f",
        ),
    ],
)  # fmt: skip
def test_bad_records_are_refused_before_anything_is_written(
    store: Store, tmp_path: Path, build, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        store.record(build(tmp_path))
    assert active(store) == {}


def test_a_unit_may_occur_once_in_a_record(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="occurs twice"):
        store.record(dense(tmp_path), [child(tmp_path), child(tmp_path)])


def test_a_store_must_exist(results: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no MLflow store at"):
        Store(tmp_path / "nowhere", "demo")
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(UserError, match="'unknown' is not in"):
        Store(results, "unknown")


def test_a_deleted_experiment_is_refused(store: Store, results: Path) -> None:
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(UserError, match="was deleted"):
        create_store(results, "demo")


def test_creating_twice_keeps_what_is_there(store: Store, results: Path, tmp_path: Path) -> None:
    runs = store.record(dense(tmp_path))
    again = create_store(results, "demo")
    assert again.experiment_id == store.experiment_id
    assert again.record(dense(tmp_path)) == runs


def test_an_experiment_has_a_view_and_keeps_what_users_wrote(store: Store, results: Path) -> None:
    def tags() -> dict[str, str]:
        return store.client.get_experiment(store.experiment_id).tags

    state = json.loads(tags()[VIEW_TAG])
    axes = [
        (c["xaxis"]["key"], c["yaxis"]["key"]) for c in state["compareRunCharts"] if "xaxis" in c
    ]
    assert ("compression_achieved", "accuracy_finetuned") in axes
    assert state["searchFilter"] == FILTER
    assert store.client.search_runs([store.experiment_id], FILTER, order_by=[ORDER]) == []
    assert path(store.experiment_id) in tags()[NOTE_TAG]
    store.client.set_experiment_tag(store.experiment_id, NOTE_TAG, "ours")
    store.client.set_experiment_tag(store.experiment_id, VIEW_TAG, "{}")
    create_store(results, "demo")
    assert tags()[NOTE_TAG] == "ours"
    assert json.loads(tags()[VIEW_TAG]) == state


def test_the_environment_names_the_store(
    empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    elsewhere.write_bytes(empty_store.read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{elsewhere}")
    runs = create_store(tmp_path / "results", "demo").record(dense(tmp_path))
    assert not (tmp_path / "results" / "mlflow.db").exists()
    assert MlflowClient(f"sqlite:///{elsewhere}").get_run(runs[GROUP]).data.params["lr"] == "0.1"
