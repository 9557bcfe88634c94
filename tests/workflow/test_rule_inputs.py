"""Which files and settings each rule of the small run gives its script, as Snakemake plans it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from plain_results import FINETUNE, METHODS, RATIOS, SEEDS, TRAIN

NET = "out/digits/normed/seed{seed}"
DATA = "out/data/digits.safetensors"
TRAINED, INITIAL = (f"{NET}/dense/{name}.safetensors" for name in ("checkpoint", "initial"))
OF_METHOD = f"{NET}/{{regime}}/{{method}}"


@pytest.fixture(scope="module")
def jobs(glue_folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((glue_folder / "jobs.json").read_text())
    return found


def of_units(name: str) -> list[str]:
    return [f"{OF_METHOD}/x{ratio:g}/{name}" for ratio in RATIOS]


def files(rule: str, regime: str, method: str) -> list[str]:
    """The inputs of a job of ``rule``, its wildcards left open."""
    start = TRAINED if regime == "finetune" else INITIAL
    learned = method == "probmask"
    reports = of_units("scores.json") if learned else [f"{OF_METHOD}/scores.json"]
    scores = [report.replace(".json", ".safetensors") for report in reports]
    masks, histories = of_units("mask.safetensors"), of_units("history.csv")
    examples = {"finetune": "activations", "scratch": "initial_activations"}.get(regime)
    seen = {
        "curvature": [f"{NET}/dense/{examples}.safetensors"],
        "probmask": [DATA],
    }.get(method, [])
    return {
        "data": [],
        "train": [DATA],
        "activations": [DATA, TRAINED],
        "initial_activations": [DATA, INITIAL],
        "score": [start, *seen],
        "learn": [start, *seen],
        "prune": [start, *scores],
        "finetune": [DATA, start, *masks, *reports],
        "evaluate": [
            *(DATA, TRAINED, start, *masks, *reports, *histories),
            *of_units("finetuned.safetensors"),
        ],
        "removal": [DATA, TRAINED, *scores],
    }[rule]


def training(given: dict[str, Any]) -> dict[str, Any]:
    return {key: given[key] for key in TRAIN}


def test_every_rule_reads_what_its_stage_needs(jobs):
    counted: dict[str, int] = {}
    for job in jobs:
        rule, wildcards = job["rule"], job["wildcards"]
        counted[rule] = counted.get(rule, 0) + 1
        if rule in ("latency", "compare"):
            continue
        open_files = files(rule, wildcards.get("regime", "finetune"), wildcards.get("method", ""))
        expected = {path.format(**{"regime": "finetune", **wildcards}) for path in open_files}
        assert set(job["input"]) == expected, (rule, wildcards)
    methods, pairs = len(METHODS), len(SEEDS) * 2
    assert counted == {
        "data": 1, "train": 2, "activations": 2, "initial_activations": 2, "latency": 1,
        "compare": 1, "removal": 2, "learn": pairs, "score": pairs * (methods - 1),
        "prune": pairs * methods, "finetune": pairs * methods, "evaluate": pairs * methods,
    }  # fmt: skip


def test_every_rule_passes_the_settings_of_its_section(jobs):
    for job in jobs:
        rule, params, wildcards = job["rule"], job["params"], job["wildcards"]
        if rule == "train":
            assert training(params["settings"]) == TRAIN
            assert params["network"] == {"model": "normed", "options": {}}
        if rule in ("finetune", "evaluate"):
            assert training(params["train"]) == TRAIN
            assert training(params["finetune"]) == FINETUNE
        if rule in ("finetune", "evaluate", "prune"):
            assert [float(ratio) for ratio in params["compressions"]] == list(RATIOS)
        if rule == "prune":
            layered = wildcards["method"] == "by_layer"
            assert params["scope"] == ("layer" if layered else "global")
            assert params["rescale"] is (wildcards["regime"] == "scratch")
        if rule == "score":
            name = METHODS[wildcards["method"]].get("method", wildcards["method"])
            assert params["method"]["name"] == name
            assert params["compressions"] == []
        if rule == "learn":
            assert params["method"]["options"]["epochs"] == METHODS["probmask"]["epochs"]
            assert [float(ratio) for ratio in params["compressions"]] == list(RATIOS)
        if rule.endswith("activations"):
            assert params == {"per_class": 2, "correct": rule == "activations"}
        if rule == "latency":
            assert params["repeats"] == 2
            assert job["wildcards"]["seed"] == str(SEEDS[0])


def test_no_job_reads_a_file_of_another_seed_or_unit(jobs):
    for job in jobs:
        seed = job["wildcards"].get("seed")
        if seed is None:
            continue
        for path in (*job["input"], *job["output"]):
            assert path == DATA or f"/seed{seed}/" in path, (job["rule"], path)
            if job["rule"] in ("prune", "finetune", "evaluate") and "/dense/" not in path:
                place = f"/{job['wildcards']['regime']}/{job['wildcards']['method']}/"
                assert path == DATA or place in path
