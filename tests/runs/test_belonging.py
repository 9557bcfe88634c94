"""What lies on disk decides: what was put elsewhere, changed or lost is made again, and no more."""

import base64
import json
import os
import re
import shutil
from collections import Counter
from pathlib import Path

import one_process
import pytest
import torch
import yaml
from planned_jobs import planned
from workflow_runs import snakemake

from graphprune import checkpoints
from graphprune.configuration.complete import complete
from graphprune.files import read_json, write_json
from graphprune.models import pruned
from graphprune.provenance.artifacts import Disk
from graphprune.provenance.recipes import Recipes

CONFIG = {
    "results": "out",
    "networks": [{"dataset": "digits", "model": "mlp"}],
    "seeds": [0, 1],
    "compressions": [2, 8],
    "train": {"epochs": 6},
    "finetune": {"epochs": 1},
    "methods": {"magnitude": {}, "random": {"scope": "layer"}},
}
SEED0 = "out/digits/mlp/seed0"
MAGNITUDE, RANDOM = f"{SEED0}/finetune/magnitude", f"{SEED0}/finetune/random"
# stages of a unit, and what is made from all units
UNIT = {"prune", "finetune", "evaluate"}
OVERVIEWS = {"compare", "report", "figure_comparison", "figure_density", "track",
             "track_comparison", "all"}  # fmt: skip


def write(folder, **changes):
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({**CONFIG, **changes}))
    return ["--configfile", str(path)]


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    """A folder in which the configuration has run; Snakemake's memory of it is removed.

    The jobs up to the table run in one process, which saves their imports; the rest as usual.
    """
    folder = tmp_path_factory.mktemp("finished")
    options = write(folder)
    one_process.run(root, folder, Path("config.yaml"), "out/metrics.parquet")
    # as Snakemake does once the masks exist
    for scores in folder.rglob("scores.safetensors"):
        scores.unlink()
    run = snakemake(root, folder, "--cores", "2", *options)
    assert run.returncode == 0, run.stderr[-4000:]
    # what was made in one process belongs
    assert "rule train:" not in run.stderr
    assert "rule evaluate:" not in run.stderr
    shutil.rmtree(folder / ".snakemake")
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    """The finished folder, copied as an archive would be: every file has a new time."""
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder, copy_function=shutil.copyfile)
    return folder


def printed(run):
    return (run.stdout + run.stderr).splitlines()


def rules(jobs):
    return Counter(job.rule for job in jobs)


def units(jobs):
    """Seed and method of the jobs that belong to units."""
    return {
        (job.wildcards["seed"], job.wildcards["method"])
        for job in jobs
        if job.rule.split("_")[0] in UNIT | {"score", "learn"}
    }


def test_a_copied_folder_without_snakemake_s_memory_has_nothing_to_do(root, copied):
    assert planned(root, copied, *write(copied)) == []


def test_times_of_files_say_nothing(root, copied):
    for number, path in enumerate(sorted(copied.rglob("*"))):
        os.utime(path, (number * 97 % 13 * 1e8, number * 31 % 17 * 1e8))
    assert planned(root, copied, *write(copied)) == []


def test_a_changed_setting_runs_what_it_decides_also_in_a_copy(root, copied):
    jobs = planned(root, copied, *write(copied, train={"epochs": 7}))
    assert rules(jobs)["train"] == 2
    assert len(units(jobs)) == 4
    jobs = planned(root, copied, *write(copied, finetune={"epochs": 2}))
    assert rules(jobs) >= Counter(finetune=4, evaluate=4, compare=1)
    assert not rules(jobs).keys() & {"train", "activations", "prune", "data"}
    jobs = planned(root, copied, *write(copied, seeds=[0, 5]))
    assert rules(jobs)["train"] == 1
    assert units(jobs) == {("5", "magnitude"), ("5", "random")}


def test_existing_units_stay_when_something_is_added_or_reordered(root, copied):
    jobs = planned(root, copied, *write(copied, compressions=[4, 8, 2]))
    assert rules(jobs) >= Counter(prune_2=4, finetune_2=4, evaluate_2=4, score=4)
    assert not {rule for rule in rules(jobs) if rule.endswith("_1")}
    assert not rules(jobs).keys() & {"train", "activations", "data", "graph"}
    more = {"snip": {}, **CONFIG["methods"]}
    jobs = planned(root, copied, *write(copied, compressions=[8, 2], seeds=[1, 0], methods=more))
    assert {method for _, method in units(jobs)} == {"snip"}


LOST = {
    f"{MAGNITUDE}/x2/mask.safetensors": "prune",
    f"{MAGNITUDE}/x8/metrics.json": "evaluate",
    f"{MAGNITUDE}/scores.json": "score",
    f"{SEED0}/latency.csv": "latency",
    "out/figures/cost.svg": "figure_comparison",
    "out/made/metrics.parquet.json": "compare",
}


def test_what_is_lost_is_made_again(root, copied):
    for path in LOST:
        (copied / path).unlink()
    jobs = planned(root, copied, *write(copied))
    # both ratios, each in a batch of its own, are evaluated again: they hold the score's seconds
    expected = dict.fromkeys(LOST.values(), 1) | {"evaluate": 2}
    made = Counter(re.sub(r"_\d+$", "", job.rule) for job in jobs)
    assert {rule: made[rule] for rule in expected} == expected
    assert not rules(jobs).keys() & {"train", "data", "activations"}
    assert units(jobs) == {("0", "magnitude")}


def test_what_follows_an_interrupted_job_that_had_written_all_is_made_too(root, copied):
    """Killed after the network was written and before Snakemake knew of it."""
    shutil.rmtree(copied / SEED0 / "finetune")
    marks = copied / ".snakemake/incomplete"
    marks.mkdir(parents=True)
    for path in (copied / SEED0 / "dense").glob("[ch]*[stv]"):
        name = str(path.relative_to(copied)).encode()
        (marks / base64.b64encode(name).decode()).touch()
    jobs = planned(root, copied, *write(copied))
    assert rules(jobs) >= Counter(train=1, score=2, compare=1)
    assert units(jobs) == {("0", "magnitude"), ("0", "random")}


def test_a_stage_between_two_that_run_stays(root, copied):
    """Stages of a network share a process; the activations in the middle are still right."""
    graph = f"{SEED0}/dense/graph.json"
    command = [*write(copied, methods={"curvature": {}}), "--", graph]
    run = snakemake(root, copied, "--cores", "2", *command)
    assert run.returncode == 0, run.stderr[-4000:]
    (copied / SEED0 / "dense/history.csv").unlink()
    jobs = planned(root, copied, *command)
    assert rules(jobs) == Counter(train=1, graph=1)


def invert(folder):
    path = folder / MAGNITUDE / "x2/mask.safetensors"
    record = checkpoints.header(path)
    masks = {name: ~mask for name, mask in pruned.read(path).items()}
    pruned.save(path, masks, made=record["made"])


def edit(folder):
    path = folder / MAGNITUDE / "x2/metrics.json"
    path.write_text(
        path.read_text().replace('"accuracy_finetuned": 0.', '"accuracy_finetuned": 1.')
    )


def later(folder):
    """Seconds that another run would have taken."""
    path = folder / MAGNITUDE / "x2/history.csv"
    lines = path.read_text().splitlines()
    lines[1] = lines[1].rpartition(",")[0] + ",99.5"
    path.write_text("\n".join(lines) + "\n")


def slower(folder):
    path = folder / MAGNITUDE / "scores.json"
    report, made = read_json(path, "a report")
    write_json(path, {**report, "seconds": 99.5}, made)


def place(source, target):
    return lambda folder: shutil.copyfile(folder / source, folder / target)


ATTACKS = {
    "another method's network": (
        place(f"{RANDOM}/x2/finetuned.safetensors", f"{MAGNITUDE}/x2/finetuned.safetensors"),
        "is that of digits/mlp/seed0/finetune/random/x2, not of digits/mlp/seed0/finetune/magn",
    ),
    "another ratio's mask": (
        place(f"{MAGNITUDE}/x8/mask.safetensors", f"{MAGNITUDE}/x2/mask.safetensors"),
        "is that of digits/mlp/seed0/finetune/magnitude/x8, not of",
    ),
    "an inverted mask": (invert, "finetuned.safetensors: was made from another file than"),
    "the dense network": (
        place(f"{SEED0}/dense/checkpoint.safetensors", f"{MAGNITUDE}/x2/finetuned.safetensors"),
        "is that of digits/mlp/seed0, not of digits/mlp/seed0/finetune/magnitude/x2",
    ),
    "another seed": (
        place(
            "out/digits/mlp/seed1/dense/checkpoint.safetensors",
            f"{SEED0}/dense/checkpoint.safetensors",
        ),
        "is that of digits/mlp/seed1, not of digits/mlp/seed0",
    ),
    "the untrained network": (
        place(f"{SEED0}/dense/initial.safetensors", f"{SEED0}/dense/checkpoint.safetensors"),
        "is the result of initial, not of train",
    ),
    "another unit's history": (
        place(f"{RANDOM}/x2/history.csv", f"{MAGNITUDE}/x2/history.csv"),
        "x2/finetuned.safetensors: belongs to another history than",
    ),
    "another history of the same training": (
        later,
        "x2/metrics.json: belongs to another history than",
    ),
    "another report of the same scores": (
        slower,
        "x2/metrics.json: was made from another file than",
    ),
    "edited metrics": (edit, "metrics.json: was changed after it was written"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_does_not_belong_is_named(copied, monkeypatch, attack):
    change, sentence = ATTACKS[attack]
    monkeypatch.chdir(copied)
    recipes = Recipes(complete(CONFIG))
    paths = [str(path) for path in Path("out").rglob("*")]
    known = {path: recipe for path in paths if (recipe := recipes.of(path))}
    assert len(known) == 33
    assert not any(Disk().misfit(recipe, path) for path, recipe in known.items())
    change(copied)
    reasons = [reason for path, recipe in known.items() if (reason := Disk().misfit(recipe, path))]
    assert any(sentence in reason for reason in reasons), reasons


def test_overviews_are_made_again_for_numbers_of_the_same_recipe(root, copied):
    """As after a kill between the stage that made these anew and the one that shows them."""
    path = copied / MAGNITUDE / "x2/metrics.json"
    metrics, made = read_json(path, "metrics")
    write_json(path, {**metrics, "accuracy_pruned": 0.125}, made)
    jobs = rules(planned(root, copied, *write(copied)))
    assert jobs >= Counter(compare=1, figure_comparison=1, report=1, track=1)
    assert not jobs.keys() & {"train", "score", *UNIT}
    (copied / "out/mlflow.db").unlink()
    assert rules(planned(root, copied, *write(copied)))["store"] == 1


def test_ratios_that_were_added_stay_apart_until_they_have_caught_up(root, copied):
    """As after a kill in the midst of the units of a new ratio."""
    (copied / RANDOM / "x8/metrics.json").unlink()
    jobs = planned(root, copied, *write(copied))
    assert {(job.rule, job.wildcards["method"]) for job in jobs if job.rule[:8] == "evaluate"} == {
        ("evaluate_2", "random")
    }
    assert units(jobs) == {("0", "random")}


def test_what_does_not_belong_is_made_again(root, copied):
    place("out/figures/cost.png", "out/figures/accuracy_finetuned.png")(copied)
    place(f"{RANDOM}/x2/finetuned.safetensors", f"{MAGNITUDE}/x2/finetuned.safetensors")(copied)
    run = snakemake(root, copied, "--dry-run", *write(copied))
    said = [line for line in printed(run) if "to be made again" in line]
    for sentence in ("finetune/random/x2, not of", "accuracy_finetuned.png: was changed after it"):
        assert any(sentence in line for line in said), said
    jobs = rules(planned(root, copied, *write(copied)))
    assert jobs >= Counter(finetune=1, evaluate=1, compare=1, figure_comparison=1, track=1)
    assert not jobs.keys() & {"prune", "train", "data"}


def test_a_forced_mask_gets_the_scores_that_it_is_made_from(root, copied):
    mask = f"{MAGNITUDE}/x2/mask.safetensors"
    for forced in (["-f", mask], ["-R", mask, "--", mask]):
        jobs = planned(root, copied, *write(copied), *forced)
        assert rules(jobs) == {"prune": 1, "score": 1}


def test_a_job_refuses_an_input_that_was_swapped_after_planning(root, copied):
    place(f"{RANDOM}/x2/finetuned.safetensors", f"{MAGNITUDE}/x2/finetuned.safetensors")(copied)
    target = f"{MAGNITUDE}/x2/metrics.json"
    # only the last stage may run, so that the plan cannot repair what lies before it
    arguments = ["--cores", "1", "--allowed-rules", "evaluate", "--force", *write(copied)]
    run = snakemake(root, copied, *arguments, "--", target)
    assert run.returncode != 0
    sentence = "finetuned.safetensors: is that of digits/mlp/seed0/finetune/random/x2"
    assert any(sentence in line for line in printed(run))
    assert "Traceback" not in run.stderr


def test_the_repaired_run_has_the_same_bytes(root, finished, copied):
    place(f"{RANDOM}/x2/finetuned.safetensors", f"{MAGNITUDE}/x2/finetuned.safetensors")(copied)
    (copied / RANDOM / "x8/mask.safetensors").unlink()
    run = snakemake(root, copied, "--cores", "2", *write(copied), "--", "out/metrics.parquet")
    assert run.returncode == 0, run.stderr[-4000:]
    paths = sorted(finished.glob("out/d*/**/*.safetensors"))
    assert len(paths) == 1 + 2 * (2 + 2 * 2 * 2)
    same_bytes(finished, copied, paths)


def test_another_folder_and_other_batches_give_the_same_bytes(root, finished, tmp_path):
    """Also with other cores and without the other seed: no draw depends on an order."""
    units = [f"{MAGNITUDE.replace('seed0', 'seed1')}/x{ratio}" for ratio in (2, 8)]
    targets = [f"{unit}/finetuned.safetensors" for unit in units]
    configured = write(tmp_path, compressions_per_job=1, seeds=[1])
    run = snakemake(root, tmp_path, "--cores", "1", *configured, "--", *targets)
    assert run.returncode == 0, run.stderr[-4000:]
    paths = list(tmp_path.glob("out/d*/**/*.safetensors"))
    assert len(paths) == 1 + 2 + 2 * 2
    same_bytes(tmp_path, finished, paths)
    for path in paths:
        assert str(tmp_path).encode() not in path.read_bytes(), path


def same_bytes(first, second, paths):
    for path in paths:
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes(), path


def test_artifacts_say_who_made_them(finished):
    made = checkpoints.header(finished / MAGNITUDE / "x2/finetuned.safetensors")["made"]
    unit = {"regime": "finetune", "method": "magnitude", "compression": 2.0}
    assert made["about"] == {"dataset": "digits", "network": "mlp", "seed": 0, **unit}
    assert made["settings"]["finetune"]["epochs"] == 1
    assert made["inputs"].keys() == made["parents"].keys() == {"mask", "checkpoint", "data"}
    assert made["packages"]["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    metrics = json.loads((finished / MAGNITUDE / "x2/metrics.json").read_text())["made"]
    assert metrics["commit"] == made["commit"]
    assert metrics["code"] != made["code"]


def test_results_of_another_version_are_refused_in_one_line(root, copied):
    (copied / "out/.graphprune-results").write_text("")
    run = snakemake(root, copied, "--dry-run", *write(copied))
    assert run.returncode != 0
    lines = [line for line in printed(run) if "results of another version" in line]
    assert len(lines) == 1
    assert "Traceback" not in run.stderr
