"""A finished run is verified and archived; whatever is damaged in it afterwards is named."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import belonging_examples as examples
import one_process
import pytest
import yaml
from belonging_examples import CONFIG, DENSE, METHOD, OTHER, UNIT, copied
from rocrate.rocrate import ROCrate
from workflow_runs import snakemake

from graphprune import archive
from graphprune.verify import verify
from graphprune.verify.__main__ import main

FIGURE = "figures/accuracy_pruned.png"
RECORD = "tracking/digits-mlp-seed0.json"


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    """The results folder of a small run."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    # in one process, which saves the jobs' imports; the rest as usual
    one_process.run(root, folder, Path("config.yaml"), "out/metrics.csv")
    wanted = ["out/metrics.csv", f"out/{FIGURE}", f"out/{RECORD}"]
    arguments = [*wanted, "--cores", "1", "--configfile", str(folder / "config.yaml")]
    run = snakemake(root, folder, *arguments, environment={"MLFLOW_TRACKING_URI": ""})
    assert run.returncode == 0, run.stderr[-4000:]
    return folder / "out"


@pytest.fixture
def results(finished, tmp_path):
    """A copy of the results to damage."""
    return copied(finished, tmp_path)


def test_a_finished_run_belongs(finished, capsys):
    assert main([str(finished), "--measure", "--current"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{finished}: 11 artifacts, 5 notes, 3 histories, 2 masks made again, 2 units, "
        "2 rows of metrics.csv, 2 rows of metrics.parquet, 2 recorded runs, "
        "2 units measured again: all belong"
    ]


@pytest.mark.parametrize(
    ("named", "damage"),
    [
        (
            f"{UNIT}/finetuned.safetensors",
            lambda out: examples.swap(
                out / UNIT / "finetuned.safetensors", out / OTHER / "finetuned.safetensors"
            ),
        ),
        (
            f"{UNIT}/finetuned.safetensors",
            lambda out: shutil.copy(
                out / DENSE / "checkpoint.safetensors", out / UNIT / "finetuned.safetensors"
            ),
        ),
        (
            f"{UNIT}/mask.safetensors",
            lambda out: examples.inverted(out / UNIT / "mask.safetensors"),
        ),
        (f"{UNIT}/mask.safetensors", lambda out: examples.flipped(out / UNIT / "mask.safetensors")),
        (f"{UNIT}/mask.safetensors", lambda out: (out / UNIT / "mask.safetensors").unlink()),
        (
            f"{UNIT}/mask.safetensors",
            lambda out: examples.edited(out / UNIT / "mask.safetensors", "global", "layers"),
        ),
        (
            f"{DENSE}/checkpoint.safetensors",
            lambda out: examples.forged(out / DENSE / "checkpoint.safetensors", {"seed": 1}),
        ),
        (
            f"{DENSE}/checkpoint.safetensors",
            lambda out: examples.reweighted(out / DENSE / "checkpoint.safetensors"),
        ),
        (
            f"{DENSE}/checkpoint.safetensors",
            lambda out: examples.flipped(out / DENSE / "checkpoint.safetensors"),
        ),
        (
            f"{DENSE}/checkpoint.safetensors",
            lambda out: shutil.copy(
                out / DENSE / "initial.safetensors", out / DENSE / "checkpoint.safetensors"
            ),
        ),
        (
            "data/digits.safetensors",
            lambda out: examples.forged(out / "data/digits.safetensors", {"dataset": "mnist5k"}),
        ),
        (
            "data/digits.safetensors",
            lambda out: examples.reweighted(out / "data/digits.safetensors"),
        ),
        (
            f"{METHOD}/scores.safetensors",
            lambda out: examples.reweighted(out / METHOD / "scores.safetensors"),
        ),
        (
            f"{UNIT}/metrics.json",
            lambda out: examples.edited(out / UNIT / "metrics.json", '"epochs": 2', '"epochs": 3'),
        ),
        (
            f"{UNIT}/metrics.json",
            lambda out: examples.rewritten(out / UNIT / "metrics.json", {"params_kept": 17}),
        ),
        (
            f"{UNIT}/metrics.json",
            lambda out: examples.rewritten(out / UNIT / "metrics.json", {"accuracy_dense": 0.5}),
        ),
        (
            f"{UNIT}/metrics.json",
            lambda out: examples.rewritten(out / UNIT / "metrics.json", {"accuracy_pruned": 7}),
        ),
        ("metrics.csv", lambda out: examples.edited(out / "metrics.csv", "magnitude", "random")),
        (
            "metrics.parquet",
            lambda out: examples.rewritten(
                out / UNIT / "metrics.json", {"accuracy_finetuned": 0.25}
            ),
        ),
        (f"{UNIT}/history.csv", lambda out: examples.retrained(out / UNIT / "history.csv")),
        (f"{DENSE}/history.csv", lambda out: examples.retrained(out / DENSE / "history.csv")),
        (f"{UNIT}/history.csv", lambda out: (out / UNIT / "history.csv").unlink()),
        (FIGURE, lambda out: shutil.copy(out / "figures/accuracy_finetuned.png", out / FIGURE)),
        (FIGURE, lambda out: (out / FIGURE).unlink()),
        (FIGURE, lambda out: (out / f"made/{FIGURE}.json").unlink()),
        (
            f"made/{FIGURE}.json",
            lambda out: examples.edited(out / f"made/{FIGURE}.json", '"dirty"', '"clean"'),
        ),
        (RECORD, lambda out: examples.edited(out / RECORD, "x2", "x3")),
        (
            f"{METHOD}/scores.json",
            lambda out: examples.edited(
                out / METHOD / "scores.json", '"seconds": ', '"seconds": 1'
            ),
        ),
    ],
)
def test_what_does_not_belong_is_named(results, named, damage):
    assert verify(results).wrong == []
    damage(results)
    found = verify(results)
    assert any(f"{results}/{named}" in line for line in found.wrong), found


def test_a_damaged_folder_ends_with_a_line_for_each_finding(results, capsys):
    (results / UNIT / "mask.safetensors").unlink()
    assert main([str(results)]) == 1
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{results}/{UNIT}/mask.safetensors: is not there, though ")
    assert last.endswith("1 do not belong")


def test_a_recorded_number_that_is_not_the_units_is_found(results):
    with sqlite3.connect(results / "mlflow.db") as store:
        store.execute("update latest_metrics set value = 0.125 where key = 'accuracy_finetuned'")
    lines = [line for line in verify(results).wrong if "has accuracy_finetuned 0.125" in line]
    assert [line.split(": ")[1].split()[2] for line in lines] == [UNIT, OTHER]


def test_an_accuracy_that_was_written_by_the_library_itself_is_measured_again(results):
    metrics = results / UNIT / "metrics.json"
    examples.rewritten(metrics, {"accuracy_pruned": 0.25})
    assert any(
        line.startswith(f"{metrics}: has accuracy_pruned 0.25; measured again 0.")
        for line in verify(results, measure=True).wrong
    )


def test_other_settings_are_outdated_and_strangers_are_noted(results, capsys):
    examples.edited(results / "config.json", '"momentum": 0.9', '"momentum": 0.5')
    (results / "digits/mlp/seed7/dense").mkdir(parents=True)
    stray = results / "digits/mlp/seed7/dense/checkpoint.safetensors"
    shutil.copy(results / DENSE / "checkpoint.safetensors", stray)
    assert main([str(results)]) == 0
    printed = capsys.readouterr().out
    assert f"note: {stray}: not of this configuration" in printed
    assert "was made with train.momentum" not in printed
    assert "was made with momentum = 0.9; now it is 0.5" in printed
    assert main([str(results), "--current"]) == 1


def test_plugins_of_results_run_only_when_asked_for(results, tmp_path, capsys):
    (tmp_path / "plugin.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    plugins = json.dumps([str(tmp_path / "plugin.py")])
    examples.edited(results / "config.json", '"plugins": []', f'"plugins": {plugins}')
    assert main([str(results)]) == 1
    assert "--plugins loads them, which runs their code" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()
    assert main([str(results), "--plugins"]) == 0
    assert (tmp_path / "ran").exists()


@pytest.fixture(scope="module")
def unpacked(finished, tmp_path_factory):
    """An archive of the run, unpacked in an empty folder."""
    folder = tmp_path_factory.mktemp("unpacked")
    archive.pack(finished, folder / "run.zip")
    with zipfile.ZipFile(folder / "run.zip") as packed:
        packed.extractall(folder / "run")
    return folder / "run"


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in the unpacked archive, whose package goes before any installed one."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_same_results_are_the_same_archive_which_names_no_place(finished, unpacked, tmp_path):
    archive.pack(copied(finished, tmp_path), tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == unpacked.with_suffix(".zip").read_bytes()
    places = [str(path).encode() for path in (finished.parent, unpacked.parent, Path.home())]
    for path in unpacked.rglob("*"):
        assert path.is_dir() or not any(place in path.read_bytes() for place in places), path


def test_an_archive_is_a_crate_that_describes_its_files(unpacked):
    crate = ROCrate(unpacked)
    assert crate.mainEntity.id == "Snakefile"
    described = {entity.id for entity in crate.data_entities}
    there = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*")}
    files = {name for name in there if (unpacked / name).is_file()}
    assert described == files - {"ro-crate-metadata.json"}
    assert {"configuration.yaml", f"results/{UNIT}/mask.safetensors"} <= described
    assert "results/data/digits.safetensors" not in described


def test_an_archive_verifies_by_itself(unpacked):
    done = python(unpacked, "-m", "graphprune.verify", "results", "--current")
    assert done.returncode == 0, done.stdout
    assert "absent: 5 artifacts, not made yet or left out" in done.stdout
    mask = unpacked / f"results/{UNIT}/mask.safetensors"
    whole = mask.read_bytes()
    examples.inverted(mask)
    done = python(unpacked, "-m", "graphprune.verify", "results")
    mask.write_bytes(whole)
    assert done.returncode == 1
    assert f"results/{UNIT}/mask.safetensors" in done.stdout


def test_an_archive_plans_what_was_not_packed_and_makes_the_same_bytes(
    finished, unpacked, tmp_path
):
    # the other tests look at it as it was packed
    unpacked = shutil.copytree(unpacked, tmp_path / "run")
    options = ["--cores", "1", "--configfile", "configuration.yaml"]
    planned = python(unpacked, "-m", "snakemake", "results/metrics.csv", "-n", *options)
    assert planned.returncode == 0, planned.stderr
    rules = set(re.findall(r"^ *(?:local)?rule (\w+):", planned.stdout + planned.stderr, re.M))
    # masks stay; what shows times is made again; scores, kept here, were not packed like weights
    again = {"evaluate", "latency", "compare"}
    assert rules == {"data", "train", "score", "finetune"} | again
    masks = [f"results/{unit}/mask.safetensors" for unit in (UNIT, OTHER)]
    for mask in masks:
        (unpacked / mask).unlink()
    done = python(unpacked, "-m", "snakemake", *masks, *options)
    assert done.returncode == 0, done.stderr[-4000:]
    names = [f"{UNIT}/mask", f"{OTHER}/mask", f"{DENSE}/checkpoint", "data/digits"]
    for name in names:
        made = unpacked / f"results/{name}.safetensors"
        assert made.read_bytes() == (finished / f"{name}.safetensors").read_bytes(), name
