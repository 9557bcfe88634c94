"""Artifacts on this host are the results' own files under a second name."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from mlflow.cli import gc
from tracking_examples import GROUP, child, dense, file, new_store

from graphprune.tracking import Store
from graphprune.tracking.address import local_folder
from graphprune.tracking.files import artifacts
from graphprune.tracking.links import Links


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def store(results: Path, empty_store: Path) -> Store:
    return new_store(results, empty_store)


def placed(store: Store, run_id: str) -> dict[str, Path]:
    folder = local_folder(store.client.get_run(run_id).info.artifact_uri)
    return {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}


def content(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*.safetensors") if p.is_file()}


def refuse(number: int) -> Callable[..., None]:
    def link(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return link


def test_results_are_linked_and_units_add_no_other_file(store: Store, results: Path) -> None:
    runs = store.record(dense(results / "a"), [child(results / "a", 2), child(results / "a", 4)])
    unit = placed(store, runs[f"{GROUP}/random/4"])
    assert unit.keys() == {"mask/mask.safetensors"}
    assert unit["mask/mask.safetensors"].samefile(results / "a/4/mask.safetensors")
    parent = placed(store, runs[GROUP])
    names = {"checkpoint/dense.safetensors", "scores/random/scores.safetensors", "lineage.json"}
    assert parent.keys() == names
    assert parent["scores/random/scores.safetensors"].samefile(results / "a/scores.safetensors")


def test_a_link_keeps_the_old_bytes_until_the_unit_is_recorded_again(
    store: Store, results: Path
) -> None:
    parent, unit = dense(results), child(results)
    runs = store.record(parent, [unit])
    (place,) = placed(store, runs[unit.unit]).values()
    mask = file(results / "2", "mask.safetensors", "another")
    assert place.read_text() == "mask 2"
    assert store.record(parent, [unit]) == runs
    assert place.read_text() == "another"
    assert place.samefile(mask)


def test_what_is_written_in_place_or_lies_elsewhere_is_copied_once(
    store: Store, results: Path, tmp_path: Path
) -> None:
    log, plugin = file(results / "logs/train", "a.log"), file(tmp_path, "mine.py", "first")

    def record() -> dict[str, str]:
        units = [child(results, ratio, artifacts={"model": [plugin]}) for ratio in (2, 4)]
        return store.record(dense(results, artifacts={"logs": [log], "model": [plugin]}), units)

    runs = record()
    places = [placed(store, run)["model/mine.py"] for run in runs.values()]
    assert len({place.stat().st_ino for place in places}) == 1
    with log.open("a") as stream:
        stream.write("more")
    plugin.write_text("second")
    assert placed(store, runs[GROUP])["logs/a.log"].read_text() == "x"
    assert {place.read_text() for place in places} == {"first"}
    inode = record() and {place.stat().st_ino for place in places}
    assert {place.read_text() for place in places} == {"second"}
    assert len(inode) == 1
    assert record() == runs
    assert {place.stat().st_ino for place in places} == inode


def test_files_that_a_unit_no_longer_has_leave_its_run(store: Store, results: Path) -> None:
    old = [file(results / "2", "pruned.safetensors"), file(results / "2", "mask.safetensors")]
    runs = store.record(dense(results), [child(results, artifacts={"old": old})])
    store.attach(f"{GROUP}/random/2", [file(results, "note.txt")], "notes")
    assert store.record(dense(results), [child(results)]) == runs
    left = placed(store, runs[f"{GROUP}/random/2"])
    assert left.keys() == {"mask/mask.safetensors", "notes/note.txt"}
    folder = local_folder(store.client.get_run(runs[f"{GROUP}/random/2"]).info.artifact_uri)
    assert not (folder / "old").exists()
    assert all(path.is_file() for path in old)


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP])
def test_a_file_system_without_links_gets_copies_and_the_log_says_so_once(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog, number: int
) -> None:
    sources = [file(results, name, name) for name in ("a", "b")]
    files = artifacts("unit", [{"": sources}])
    folder, placing = tmp_path / "run", Links(results)
    monkeypatch.setattr(os, "link", refuse(number))
    placing.put(folder, files.values(), {})
    assert [(folder / name).read_text() for name in ("a", "b")] == ["a", "b"]
    (message,) = caplog.messages
    assert os.strerror(number) in message
    inode = (folder / "a").stat().st_ino
    held = {target: one.sha256 for target, one in files.items()}
    placing.put(folder, files.values(), held)
    assert (folder / "a").stat().st_ino == inode  # not copied again
    monkeypatch.undo()
    placing.put(folder, files.values(), held)
    assert (folder / "a").samefile(sources[0])


def test_another_error_is_raised_and_what_was_there_stays(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = file(tmp_path / "run", "a", "before")
    files = artifacts("unit", [{"": [file(results, "a", "after")]}])
    monkeypatch.setattr(os, "link", refuse(errno.ENOSPC))
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        Links(results).put(tmp_path / "run", files.values(), {})
    assert place.read_text() == "before"
    assert [path.name for path in place.parent.iterdir()] == ["a"]


def test_what_a_killed_recording_left_is_cleared(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = artifacts("unit", [{"": [file(results, "a", "after")]}])
    place = file(tmp_path / "run", "a", "before")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: os._exit(9))
        if (process := os.fork()) == 0:
            Links(results).put(tmp_path / "run", files.values(), {})
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 9
    assert place.read_text() == "before"
    assert len(list(place.parent.iterdir())) == 2
    Links(results).put(tmp_path / "run", files.values(), {})
    assert [path.name for path in place.parent.iterdir()] == ["a"]
    assert place.samefile(results / "a")


def test_removing_runs_for_good_leaves_the_results(store: Store, results: Path) -> None:
    runs = store.record(dense(results), [child(results)])
    before = {path: data for path, data in content(results).items() if "mlartifacts" not in path}
    assert len(before) == 3
    places = [place for run in runs.values() for place in placed(store, run).values()]
    for run in runs.values():
        store.client.delete_run(run)
    done = CliRunner().invoke(gc, ["--backend-store-uri", store.uri, "--tracking-uri", store.uri])
    assert done.exit_code == 0, done.output
    assert not any(place.exists() for place in places)
    assert content(results) == before
    again = store.record(dense(results), [child(results)])
    assert again.keys() == runs.keys()
    assert not set(again.values()) & set(runs.values())
