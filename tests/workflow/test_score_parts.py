"""The workflow's scripts score_part and gather: what the parts give together."""

import json

import yaml
from workflow_runs import snakemake

from graphprune.methods import results


def test_the_workflow_scatters_and_gathers(root, tmp_path):
    config = {
        "results": "out",
        "networks": [{"dataset": "digits", "model": "mlp"}],
        "seeds": [0],
        "compressions": [2],
        "train": {"epochs": 8},
        "methods": {"curvature": {}, "magnitude": {}},
    }
    found = []
    for parts in (1, 3):
        config["calibration"] = {"parts": parts}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        target = "out/digits/mlp/seed0/finetune/curvature/scores.safetensors"
        options = ["--cores", "2", "--rerun-triggers", "mtime", "--forcerun"]
        rule = "score" if parts == 1 else "gather"
        arguments = ["--configfile", str(tmp_path / "config.yaml"), *options, rule, "--", target]
        run = snakemake(root, tmp_path, *arguments)
        assert run.returncode == 0, run.stderr[-4000:]
        found.append(results.load(tmp_path / target).result)
    once, scattered = found
    for name, scores in once.scores.items():
        assert scattered.scores[name].numpy().tobytes() == scores.numpy().tobytes()
    assert json.dumps(once.report["examples"]) == json.dumps(scattered.report["examples"])
    assert len(list((tmp_path / "out/benchmarks/score_part").glob("*.tsv"))) == 3
    # the parts are gone when they are joined
    assert not list(tmp_path.glob("out/digits/mlp/seed0/finetune/curvature/parts/*"))
