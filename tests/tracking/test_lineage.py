"""The files that led to a run, and where they lie."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from tracking_examples import GROUP, active, child, deleted, dense, file, new_store

from graphprune.errors import UserError
from graphprune.tracking import Store, lineage
from graphprune.tracking.address import local_folder


@pytest.fixture
def store(tmp_path: Path, empty_store: Path) -> Store:
    return new_store(tmp_path / "results", empty_store)


def places(store: Store, run_id: str) -> dict[str, str]:
    return {entry["path"]: entry["run_id"] for entry in lineage.trace(store.client, run_id)}


def test_a_unit_names_its_files_and_those_that_led_to_it(store: Store, tmp_path: Path) -> None:
    other = child(tmp_path, 4, shared={"scores/other": [file(tmp_path, "other.safetensors")]})
    runs = store.record(dense(tmp_path), [child(tmp_path, 2), other])
    unit = runs[f"{GROUP}/random/2"]
    assert places(store, unit) == {
        "mask/mask.safetensors": unit,
        "checkpoint/dense.safetensors": runs[GROUP],
        "scores/random/scores.safetensors": runs[GROUP],
    }
    assert places(store, runs[GROUP]).keys() == {
        "checkpoint/dense.safetensors",
        "scores/random/scores.safetensors",
        "scores/other/other.safetensors",
    }
    for run_id in runs.values():
        for entry in lineage.trace(store.client, run_id):
            copy = store.client.download_artifacts(entry["run_id"], entry["path"], str(tmp_path))
            assert hashlib.sha256(Path(copy).read_bytes()).hexdigest() == entry["sha256"]
    assert [one.path for one in store.client.list_artifacts(unit)] == ["mask"]
    location = store.client.get_run(unit).info.artifact_uri
    assert location.startswith((store.results / "mlartifacts").as_uri())


def test_a_file_names_all_that_the_parent_holds(store: Store, tmp_path: Path) -> None:
    runs = store.record(dense(tmp_path), [child(tmp_path)])
    copy = store.client.download_artifacts(runs[GROUP], lineage.FILE, str(tmp_path))
    digest = {text: hashlib.sha256(text.encode()).hexdigest() for text in ("weights", "scores")}
    assert json.loads(Path(copy).read_text()) == {
        "unit": GROUP,
        "own": {"checkpoint/dense.safetensors": digest["weights"]},
        "shared": {"scores/random/scores.safetensors": digest["scores"]},
    }


def test_units_that_are_not_recorded_this_time_keep_their_lineage(
    store: Store, tmp_path: Path
) -> None:
    other = child(tmp_path, 4, shared={"scores/other": [file(tmp_path, "other.safetensors")]})
    runs = store.record(dense(tmp_path), [child(tmp_path, 2), other])
    before = places(store, runs[other.unit])
    store.record(dense(tmp_path), [child(tmp_path, 2)])
    assert places(store, runs[other.unit]) == before
    assert places(store, runs[GROUP]).keys() >= {"scores/other/other.safetensors"}


def test_a_lost_lineage_file_is_written_again(store: Store, tmp_path: Path) -> None:
    units = dense(tmp_path), [child(tmp_path)]
    runs = store.record(*units)
    path = local_folder(active(store)[GROUP].info.artifact_uri) / lineage.FILE
    before = path.read_bytes()
    path.unlink()
    assert store.record(*units) == runs
    assert path.read_bytes() == before


def test_runs_of_an_older_version_are_replaced(store: Store, tmp_path: Path) -> None:
    runs = store.record(dense(tmp_path), [child(tmp_path)])
    for run in runs.values():
        store.client.set_tag(run, lineage.OLD_TAG, "digest of an old lineage")
    again = store.record(dense(tmp_path), [child(tmp_path)])
    assert not set(again.values()) & set(runs.values())
    assert deleted(store) == 2


def test_more_files_than_a_tag_can_name_are_refused(store: Store, tmp_path: Path) -> None:
    many = [file(tmp_path / "many", f"{number:0200d}") for number in range(40)]
    with pytest.raises(UserError, match="allowed: 8000"):
        store.record(dense(tmp_path), [child(tmp_path, shared={"many": many})])
    assert active(store) == {}
