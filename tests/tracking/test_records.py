"""What is recorded of a network's files: tags, lineage, logs, datasets, models that load."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from image_folders import write_folder

from graphprune import data
from graphprune.data.streamed import folders
from graphprune.errors import UserError
from graphprune.files import write_csv, write_json
from graphprune.models import networks, pruned
from graphprune.neural_graph import calibration
from graphprune.tracking import create_store, lineage, records
from graphprune.tracking.address import local_folder

UNIT = "digits/mlp/seed0/finetune/random/x2"
MADE = {"commit": "abc", "code": "c0de", "version": "0.3", "packages": {}}


def log(results: Path, rule: str, name: str, job: str, host: str = "node1") -> None:
    path = results / "logs" / rule / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    began = f"2026-01-01 00:00:00,000 INFO started on {host}"
    path.write_text(f"{began}\n2026-01-01 00:00:01,000 INFO x\n{began}, Slurm job {job}\n")
    tsv = results / "benchmarks" / rule / f"{name}.tsv"
    tsv.parent.mkdir(parents=True, exist_ok=True)
    tsv.write_text("s\n1.0\n")


def unit_metrics() -> dict[str, object]:
    labels = {
        "dataset": "digits",
        "network": "mlp",
        "model": "mlp",
        "seed": 0,
        "regime": "finetune",
    }
    numbers = dict.fromkeys(records.UNIT_METRICS, 0.5) | {"params_total": 8, "params_kept": 4}
    numbers |= {"flops_total": 16, "flops_kept": 8, "epochs": 3}
    numbers |= {"file_size_total": 80, "file_size_kept": 40}
    layers = [{"layer": "fc1.weight", "density": 0.25, "flops_kept": 8}]
    labels |= {"method": "random", "compression": 2.0}
    return {**labels, **numbers, "report": {"nodes": 4}, "layers": layers}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of one network and one unit, as the workflow lays them out."""
    results = tmp_path_factory.mktemp("results")
    dataset = data.load("digits")
    data.save(results / "data" / "digits.safetensors", dataset)
    identity = networks.Identity("digits", "mlp", dataset.input_shape, 10, 0)
    dense, unit = results / "digits/mlp/seed0/dense", results / UNIT
    same = {"learning_rate": 0.1, "accuracy_train": 0.5, "seconds": 1.0}
    rows = [{"epoch": epoch, "loss": 1 / epoch, **same} for epoch in (1, 2)]
    model = identity.build().eval()
    networks.save(dense / "checkpoint.safetensors", model.state_dict(), identity, MADE)
    calibration.save(dense / "activations.safetensors", model, dataset.train, torch.arange(3))
    masks = {name: torch.rand_like(p) < 0.5 for name, p in model.named_parameters() if p.ndim > 1}
    tuned = {name: tensor / 2 for name, tensor in model.state_dict().items()}
    tuned |= {name: tuned[name] * mask for name, mask in masks.items()}
    pruned.save(unit / "mask.safetensors", masks)
    by = MADE | {"commit": "def", "code": "f00d", "dirty": True}
    networks.save(unit / "finetuned.safetensors", tuned, identity, by, unit / "mask.safetensors")
    for folder in (dense, unit):
        write_csv(folder / "history.csv", rows)
    write_csv(dense.parent / "latency.csv", [{"batch_size": 1, "dense": 1e-4}])
    write_json(unit / "metrics.json", unit_metrics())
    write_json(unit / "scores.json", {"report": {}, "seconds": 1.0})
    (unit.parent / "scores.safetensors").write_bytes(b"scores")
    (unit.parent / ".scores.partial").write_bytes(b"left by a killed job")
    log(results, "train", "digits-mlp-seed0", "7")
    log(results, "latency", "digits-mlp-seed0", "8")
    log(results, "track", "digits-mlp", "8")
    log(results, "units_1", "digits-mlp-seed0-finetune-random", "9", "node2")
    log(results, "score", "digits-mlp-seed0-finetune-random", "10", "node3")
    log(results, "train", "digits-mlp-seed01", "11")
    return results


@pytest.fixture(scope="module")
def recorded(results: Path, tmp_path_factory: pytest.TempPathFactory):
    """Client and runs by unit, after recording with a model for every unit."""
    dense = results / "digits/mlp/seed0/dense"
    form = records.model_format(
        tmp_path_factory.mktemp("models"),
        dense / "checkpoint.safetensors",
        records.example_of(
            dense / "checkpoint.safetensors",
            results / "data/digits.safetensors",
            [dense / "activations.safetensors"],
        ),
    )
    network = network_in(results, form)
    store = create_store(results, "demo")
    unit = records.unit_record(network, results / UNIT / "metrics.json", {"finetune/epochs": 2})
    parent = records.dense_record(network, {"train/epochs": 2}, 0.75)
    runs = store.record(parent, [unit])
    assert store.record(parent, [unit]) == runs
    return store.client, {name: store.client.get_run(run) for name, run in runs.items()}


def test_without_calibration_the_example_is_the_first_image_as_the_network_sees_it(
    results: Path, tmp_path: Path
) -> None:
    prepared, weights = results / "data/digits.safetensors", tmp_path / "checkpoint.safetensors"
    dataset = data.read(prepared)
    seen = {"mean": [0.5], "std": [0.25]}
    identity = networks.Identity("digits", "mlp", dataset.input_shape, 10, 0, preprocess=seen)
    networks.save(weights, identity.build().state_dict(), identity)
    example = records.example_of(weights, prepared)
    assert np.array_equal(example, (dataset.train.images[:1].numpy() - 0.5) / 0.25)


def test_the_example_of_a_streamed_dataset_is_read_from_its_file(tmp_path: Path) -> None:
    write_folder(tmp_path / "birds")
    keys = {"path": str(tmp_path / "birds"), "classes": 3, "size": 16}
    folders.register({"folders": {"birds": keys}})
    dataset = data.load("birds")
    folders.register(None)
    prepared, weights = tmp_path / "birds.safetensors", tmp_path / "checkpoint.safetensors"
    data.save(prepared, dataset)
    identity = networks.Identity("birds", "mlp", dataset.input_shape, 3, 0)
    networks.save(weights, identity.build().state_dict(), identity)
    example = records.example_of(weights, prepared)
    assert np.array_equal(example, dataset.train.images[torch.tensor([0])].numpy())


def network_in(results: Path, form=None) -> records.Network:
    labels = {"dataset": "digits", "network": "mlp", "model": "mlp", "seed": 0}
    source = {"recorded_by_commit": "fed"}
    return records.Network(results, labels, source, results / "data/digits.safetensors", form, form)


def test_tags_say_where_a_unit_comes_from(recorded) -> None:
    _, runs = recorded
    tags = runs[UNIT].data.tags
    expected = {"method": "random", "regime": "finetune", "compression": "2.0",
                "host": "node2", "scheduler_job": "9"}  # fmt: skip
    assert expected.items() <= tags.items()
    assert tags["lineage"].endswith("> digits/mlp/seed0 > finetune/random > x2")
    digest = data.load("digits").digest
    assert tags["lineage"].startswith(f"digits@{digest[:12]} ")
    dense = runs["digits/mlp/seed0"].data.tags
    assert (dense["host"], dense["scheduler_job"]) == ("node1", "7")
    assert len(tags["config_hash"]) == 16
    assert tags["config_hash"] != dense["config_hash"]


def test_the_version_is_that_which_made_the_weights(recorded) -> None:
    _, runs = recorded
    made = ("commit", "code", "dirty")
    tags = runs[UNIT].data.tags
    assert [tags[key] for key in made] == ["def", "f00d", "true"]
    assert "recorded_by_commit" not in tags
    dense = runs["digits/mlp/seed0"].data.tags
    assert [dense[key] for key in made] == ["abc", "c0de", "unknown"]
    assert dense["recorded_by_commit"] == "fed"


@pytest.mark.parametrize("made", [None, {}, {"commit": "abc"}])
def test_weights_that_do_not_say_what_made_them_are_refused(tmp_path: Path, made) -> None:
    path = tmp_path / "checkpoint.safetensors"
    identity = networks.Identity("digits", "mlp", (1, 8, 8), 10, 0)
    networks.save(path, identity.build().state_dict(), identity, made)
    with pytest.raises(UserError, match=f"^{path}: does not say which version"):
        records.made_by(path)


def test_the_configuration_hash_is_that_of_the_settings(results: Path) -> None:
    network, path = network_in(results), results / UNIT / "metrics.json"

    def hashed(settings: dict[str, object]) -> object:
        return records.unit_record(network, path, settings).tags["config_hash"]

    assert hashed({"a": 1, "b": 2}) == hashed({"b": 2, "a": 1}) != hashed({"a": 1, "b": 3})


def test_datasets_carry_the_digest_of_their_content(recorded) -> None:
    _, runs = recorded
    dataset = data.load("digits")
    for run in runs.values():
        (used,) = run.inputs.dataset_inputs
        assert used.dataset.name == "digits"
        assert dataset.digest.startswith(used.dataset.digest)
        assert len(used.dataset.digest) == 36
        profile = json.loads(used.dataset.profile)
        assert profile["sha256"] == dataset.digest
        assert profile["examples"]["test"] == len(dataset.test)
        assert (profile["shape"], profile["classes"]) == ([1, 8, 8], 10)


def test_logs_and_benchmarks_lie_once_in_the_parent(recorded) -> None:
    client, runs = recorded
    parent, unit = (runs[name].info.run_id for name in ("digits/mlp/seed0", UNIT))
    assert {file.path for file in client.list_artifacts(parent, "logs")} == {
        "logs/train", "logs/latency", "logs/units_1", "logs/score"
    }  # fmt: skip
    (file,) = client.list_artifacts(parent, "latency")
    assert file.path == "latency/latency.csv"
    (file,) = client.list_artifacts(parent, "benchmarks/train")
    assert file.path == "benchmarks/train/digits-mlp-seed0.tsv"
    owners = {entry["path"]: entry["run_id"] for entry in lineage.trace(client, unit)}
    assert owners["logs/score/digits-mlp-seed0-finetune-random.log"] == parent
    # they lie there, but the next job may remove them
    assert "finetune/random/scores.safetensors" not in owners
    assert owners["model/data/finetuned.safetensors"] == unit
    assert owners["model/data/checkpoint.safetensors"] == parent
    assert not [path for path in owners if ".partial" in path]


def test_scores_that_are_kept_are_recorded(results: Path) -> None:
    network = dataclasses.replace(network_in(results), keeps_scores=True)
    record = records.unit_record(network, results / UNIT / "metrics.json", {})
    names = {path.name for path in record.shared["finetune/random"]}
    assert "scores.safetensors" in names
    kept = records.unit_record(network_in(results), results / UNIT / "metrics.json", {})
    assert {path.name for path in kept.shared["finetune/random"]} == names - {"scores.safetensors"}


def test_a_unit_adds_three_files_of_which_two_are_the_results(recorded, results: Path) -> None:
    _, runs = recorded
    folder = local_folder(runs[UNIT].info.artifact_uri)
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    weights = [f"model/data/{name}.safetensors" for name in ("finetuned", "mask")]
    assert files == {"model/MLmodel", *weights}
    for name in weights:
        assert (folder / name).samefile(results / UNIT / Path(name).name)
    assert (folder / "model/MLmodel").stat().st_size < 4096


def test_no_weights_of_the_dense_network_are_copied(recorded, results: Path) -> None:
    _, runs = recorded
    folder = local_folder(runs["digits/mlp/seed0"].info.artifact_uri)
    kept = {path.stat().st_ino for path in results.rglob("*") if "mlartifacts" not in path.parts}
    copies = {path.name for path in folder.rglob("*") if path.is_file()
              and path.stat().st_ino not in kept}  # fmt: skip
    assert {Path(name).suffix for name in copies} == {".json", ".log", ".tsv", ".txt", ".yaml", ""}
    assert {"MLmodel", "conda.yaml", "input_example.json", "lineage.json"} <= copies
    assert "history.csv" not in copies


@pytest.mark.parametrize("unit", ["digits/mlp/seed0", UNIT])
def test_models_predict_what_the_checkpoints_do(
    recorded, results: Path, unit: str, monkeypatch: pytest.MonkeyPatch, capsys, recwarn
) -> None:
    client, runs = recorded
    monkeypatch.setenv("MLFLOW_TRACKING_URI", client.tracking_uri)
    model = mlflow.pyfunc.load_model(f"runs:/{runs[unit].info.run_id}/model")
    assert "WARNING" not in capsys.readouterr().err
    assert [str(warning.message) for warning in recwarn] == []
    images = data.load("digits").test.images[:5]
    name = "finetuned" if unit == UNIT else "dense/checkpoint"
    network, _ = networks.load(results / unit / f"{name}.safetensors")
    with torch.no_grad():
        expected = network(images).numpy()
    np.testing.assert_array_equal(model.predict(images.numpy()), expected)
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, 1, 8, 8)
    assert model.metadata.signature.outputs.inputs[0].shape == (-1, 10)
    with pytest.raises(mlflow.exceptions.MlflowException, match="shape"):
        model.predict(np.zeros((1, 1, 9, 9), np.float32))
    if unit != UNIT:
        example = model.input_example
        np.testing.assert_array_equal(example, data.load("digits").train.images[:1].numpy())
        folder = local_folder(runs[unit].info.artifact_uri)
        assert "graphprune==" in (folder / "model/requirements.txt").read_text()


def test_without_models_the_bare_checkpoints_are_recorded(results: Path) -> None:
    network = network_in(results)
    unit = records.unit_record(network, results / UNIT / "metrics.json", {})
    names = ("finetuned.safetensors", "mask.safetensors")
    assert unit.artifacts == {"unit": [results / UNIT / name for name in names]}
    dense = records.dense_record(network, {}, 0.5)
    assert "checkpoint.safetensors" in {path.name for path in dense.artifacts["dense"]}
    assert not {"model", "model/data"} & {*dense.artifacts}
