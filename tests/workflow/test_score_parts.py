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
        "keep_scores": True,
        "methods": {"curvature": {}, "magnitude": {}},
    }
    found = []
    for parts in (1, 3):
        config["calibration"] = {"parts": parts}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        target = "out/digits/mlp/seed0/finetune/curvature/scores.safetensors"
        options = ["--cores", "2", "--forcerun"]
        rule = "score" if parts == 1 else "gather"
        arguments = ["--configfile", str(tmp_path / "config.yaml"), *options, rule, "--", target]
        run = snakemake(root, tmp_path, *arguments)
        assert run.returncode == 0, run.stderr[-4000:]
        scores = results.load(tmp_path / target).result.scores
        found.append((scores, results.load_report((tmp_path / target).with_suffix(".json"))))
    (once, report), (scattered, joined) = found
    for name, scores in once.items():
        assert scattered[name].numpy().tobytes() == scores.numpy().tobytes()
    assert json.dumps(report.numbers["examples"]) == json.dumps(joined.numbers["examples"])
    assert len(list((tmp_path / "out/benchmarks/score_part").glob("*.tsv"))) == 3
    # the parts are gone when they are joined
    assert not list(tmp_path.glob("out/digits/mlp/seed0/finetune/curvature/parts/*"))
