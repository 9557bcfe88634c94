"""Curvature scored in parts and gathered is curvature scored at once, bit by bit."""

import json

import pytest
import torch
import yaml
from test_workflow import snakemake

from graphprune import networks, results
from graphprune.errors import UserError
from graphprune.methods.curvature import Curvature, gather


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return networks.Identity("mnist5k", "lenet5", (1, 28, 28), 10, 0).build()


@pytest.fixture(scope="module")
def inputs():
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(7, 1, 28, 28, generator=generator)
    return images * (images > 0.6)


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_gathered_parts_are_the_whole(model, inputs, parts):
    method = Curvature(threads=1)
    whole = method.run(model, inputs)
    joined = gather([method.run_part(model, inputs, part, parts) for part in range(parts)])
    assert list(joined.scores) == list(whole.scores)
    for name, scores in whole.scores.items():
        assert joined.scores[name].numpy().tobytes() == scores.numpy().tobytes()
    assert joined.report["examples"] == whole.report["examples"] == 7
    assert joined.report["edges"] == whole.report["edges"]
    assert joined.report["certified_error"] >= 0


def test_no_part_alone_is_the_whole(model, inputs):
    method = Curvature(threads=1)
    whole = method.run(model, inputs).scores
    for part in range(3):
        scores = method.run_part(model, inputs, part, 3).scores
        assert any(not torch.equal(scores[name], whole[name]) for name in whole)
        assert all((scores[name] <= whole[name]).all() for name in whole)


@pytest.mark.parametrize(("part", "parts"), [(0, 8), (2, 2), (-1, 3), (0, 0)])
def test_a_part_without_examples_is_refused(model, inputs, part, parts):
    with pytest.raises(UserError, match=rf"part is {part} of {parts}; .*calibration.parts"):
        Curvature().run_part(model, inputs, part, parts)


def test_missing_or_foreign_parts_are_refused(model, inputs):
    with pytest.raises(UserError, match="missing, or of different networks"):
        gather([])
    result = Curvature(threads=1).run_part(model, inputs, 0, 7)
    name = next(iter(result.scores))
    other = type(result)({key: s for key, s in result.scores.items() if key != name})
    with pytest.raises(UserError, match="missing, or of different networks"):
        gather([result, other])


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
