"""A network that a method cannot score goes through the workflow without that method."""

from __future__ import annotations

from collections import Counter

import yaml
from planned_jobs import planned
from workflow_runs import snakemake

VIT = "torchvision-vit_b_16"
CONFIG = {
    "networks": [
        {"dataset": "cifar10", "model": "torchvision:vit_b_16"},
        {"dataset": "cifar10", "model": "resnet8"},
    ],
    "seeds": [0, 1],
    "compressions": [2, 8],
    "results": "out",
    "methods": {"magnitude": {}, "curvature": {}, "rgp": {}},
}


def test_units_are_left_out_with_one_line(root, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    jobs = planned(root, tmp_path, "--configfile", str(path))
    of = Counter(
        (job.rule, job.wildcards["network"], job.wildcards["method"])
        for job in jobs
        if "method" in job.wildcards
    )
    scored = {(network, method) for _, network, method in of}
    assert scored == {
        *((VIT, method) for method in ("magnitude", "rgp")),
        *(("resnet8", method) for method in ("magnitude", "rgp", "curvature")),
    }
    assert of["finetune", VIT, "magnitude"] == of["finetune", "resnet8", "curvature"] == 2
    rules = Counter(job.rule for job in jobs)
    assert rules["figure_removal"] == 1
    # only curvature looks at the neural graph and at activations
    dense = Counter(
        (job.rule, job.wildcards["network"])
        for job in jobs
        if job.rule in ("activations", "graph", "figure_neural_graph")
    )
    assert dense == {(rule, "resnet8"): n for rule, n in (("activations", 2), ("graph", 2),
                                                        ("figure_neural_graph", 1))}  # fmt: skip
    assert rules["track"] == rules["latency"] == 2
    # the rest of the names: of logs, of wildcards, of the report's labels
    run = snakemake(root, tmp_path, "--dry-run", "--configfile", str(path))
    said = run.stdout + run.stderr
    line = f"cifar10/{VIT}: without curvature, which cannot score it (operation encoder"
    assert said.count(line) == 1
    files = {word.strip(",") for word in said.split() if word.startswith("out/")}
    assert not [file for file in files if f"{VIT}/" in file and "/curvature/" in file]
    assert not [file for file in files if ":" in file]
