"""A results folder that was copied or moved records into its own artifacts."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
from tracking_examples import GROUP, active, child, dense, file, new_store

from graphprune.errors import UserError
from graphprune.tracking import Store, create_store
from graphprune.tracking.relocation import STORE_TAG, relocate
from graphprune.tracking.view import NOTE_TAG

UNIT = f"{GROUP}/random/2"


@pytest.fixture
def original(tmp_path: Path, empty_store: Path) -> Path:
    """Results that were recorded; the folder's name is one that an address must quote."""
    results = tmp_path / "first 100%"
    store = new_store(results, empty_store)
    store.record(dense(results), [child(results)])
    return results


def uri(results: Path) -> str:
    return f"sqlite:///{results}/mlflow.db"


def content(folder: Path) -> dict[str, bytes]:
    """All bytes of a folder, but for the locks that any process makes."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".locks" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def told(database: Path) -> list[tuple[str, object]]:
    """Every value of every table."""
    with closing(sqlite3.connect(database)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return [
            (table, value)
            for (table,) in tables.fetchall()
            for row in connection.execute(f'SELECT * FROM "{table}"')
            for value in row
        ]


def test_a_copy_records_into_itself(original: Path, tmp_path: Path, caplog) -> None:
    copied = tmp_path / "second"
    shutil.copytree(original, copied)
    before = content(original)
    store = Store(copied, "demo")
    (message,) = caplog.messages
    assert message.startswith(f"{copied} was copied or moved from {original};")
    unit, new = child(copied), child(copied, 4)
    file(copied / "2", "mask.safetensors", "another")
    runs = store.record(dense(copied), [unit, new])
    store.attach(GROUP, [file(copied, "report.html")], "report")
    assert content(original) == before
    for run in active(store).values():
        assert run.info.artifact_uri.startswith((copied / "mlartifacts").as_uri())
    mine = copied / "mlartifacts" / runs[UNIT] / "artifacts/mask/mask.safetensors"
    assert mine.read_text() == "another"
    # copies that the copied folder held are links again
    assert mine.samefile(copied / "2/mask.safetensors")
    assert runs.keys() == {GROUP, UNIT, new.unit}
    # the original goes on by itself
    assert Store(original, "demo").record(dense(original), [child(original)])[UNIT] == runs[UNIT]
    assert len(caplog.messages) == 1


def test_a_moved_folder_is_read_where_it_lies(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = tmp_path / "elsewhere" / "it is"
    moved.parent.mkdir()
    original.rename(moved)
    relocate(moved, uri(moved))
    old = {str(original), original.as_uri()}
    assert [
        pair for pair in told(moved / "mlflow.db") if any(one in str(pair[1]) for one in old)
    ] == []
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri(moved))
    (run,) = mlflow.search_runs(
        experiment_names=["demo"], filter_string=f"tags.`graphprune.unit` = '{UNIT}'",
        output_format="list",
    )  # fmt: skip
    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/mask/mask.safetensors") == "mask 2"
    assert not original.exists()


def test_only_addresses_of_this_store_s_artifacts_change(original: Path, tmp_path: Path) -> None:
    store = Store(original, "demo")
    root = (original / "mlartifacts").as_uri()
    others = [f"{root}-2", (tmp_path / "big/mlartifacts").as_uri(), "s3://bucket/mlartifacts"]
    (tmp_path / "big/mlartifacts").mkdir(parents=True)
    client = store.client
    made = [client.create_experiment(f"e{i}", other) for i, other in enumerate(others)]
    runs = [client.create_run(experiment) for experiment in made]
    client.set_experiment_tag(store.experiment_id, NOTE_TAG, f"see {root}")
    client.create_registered_model("registered")
    client.create_model_version("registered", f"{root}/x/model")
    logged = client.create_logged_model(store.experiment_id, "logged")
    copied = tmp_path / "second"
    shutil.copytree(original, copied)
    again = Store(copied, "demo").client
    assert [again.get_experiment(one).artifact_location for one in made] == others
    uris = [again.get_run(run.info.run_id).info.artifact_uri for run in runs]
    assert uris == [run.info.artifact_uri for run in runs]
    tags = again.get_experiment(store.experiment_id).tags
    assert tags[NOTE_TAG] == f"see {root}"
    assert tags[STORE_TAG] == copied.as_uri()
    root = (copied / "mlartifacts").as_uri()
    assert again.get_logged_model(logged.model_id).artifact_location.startswith(f"{root}/")
    assert again.get_model_version("registered", "1").source == f"{root}/x/model"


def test_artifacts_that_never_lay_beside_the_store_stay(
    tmp_path: Path, empty_store: Path, caplog
) -> None:
    other, here = tmp_path / "other", tmp_path / "here"
    new_store(other, empty_store)
    here.mkdir()
    (here / "mlflow.db").write_bytes(empty_store.read_bytes())
    # artifacts of the one results folder, in the store of another
    create_store(other, "foreign", uri(here)).record(dense(other))
    client = create_store(here, "demo").client
    location = client.get_experiment_by_name("foreign").artifact_location
    assert location == (other / "mlartifacts").as_uri()
    assert caplog.messages == []


def test_a_store_elsewhere_is_left_as_it_is(original: Path, tmp_path: Path, caplog) -> None:
    central = tmp_path / "central"
    central.mkdir()
    shutil.copy(original / "mlflow.db", central)
    before = told(central / "mlflow.db")
    relocate(tmp_path / "results", uri(central))
    create_store(tmp_path / "results", "demo", uri(central))
    assert told(central / "mlflow.db") == before
    assert caplog.messages == []


def test_a_store_without_a_note_is_relocated_too(original: Path, tmp_path: Path) -> None:
    client = Store(original, "demo").client
    (experiment,) = (e for e in client.search_experiments() if e.name == "demo")
    client.delete_experiment_tag(experiment.experiment_id, STORE_TAG)
    copied = tmp_path / "second"
    shutil.copytree(original, copied)
    run = active(Store(copied, "demo"))[UNIT]
    assert run.info.artifact_uri.startswith((copied / "mlartifacts").as_uri())


def test_another_name_of_the_same_folder_changes_nothing(original: Path, tmp_path: Path) -> None:
    before = content(original)
    (tmp_path / "link").symlink_to(original)
    Store(tmp_path / "link", "demo")
    relocate(tmp_path / "link", uri(tmp_path / "link"))
    assert content(original) == before


@pytest.mark.parametrize("data", [b"", b"no database at all" * 99])
def test_a_file_that_is_no_store_yet_is_left_to_mlflow(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "mlflow.db").write_bytes(data)
    relocate(tmp_path, uri(tmp_path))
    assert (tmp_path / "mlflow.db").read_bytes() == data


def test_a_store_that_is_in_use_is_named(original: Path, tmp_path: Path) -> None:
    copied = tmp_path / "second"
    shutil.copytree(original, copied)
    with closing(sqlite3.connect(copied / "mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match=r"^\S+second/mlflow.db: .*locked"):
            relocate(copied, uri(copied), seconds=0.1)
