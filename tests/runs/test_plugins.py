"""Plug-ins in the real workflow: the comparison of ``examples/``, copied out of the repository."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from matplotlib.colors import to_rgb
from mlflow import MlflowClient
from planned_jobs import planned
from workflow_runs import snakemake

from graphprune import figures, plugins
from graphprune.comparison import tables
from graphprune.methods import results
from graphprune.models import networks

EXAMPLE = "results/example"
LOCAL = {"MLFLOW_TRACKING_URI": ""}
OF_METHOD = {"score", "prune", "finetune", "evaluate"}
# made from all units, or from all units of a network
AGGREGATES = {"compare", "figure_comparison", "figure_density", "latency", "report", "track",
              "track_comparison"}  # fmt: skip


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    """A working directory in which the comparison has run, with the plug-ins in another one."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "mine").mkdir()
    for path in (root / "examples").iterdir():
        if path.is_file():
            shutil.copy2(path, folder / "mine")
    (folder / "run").mkdir()
    run = snakemake(root, folder / "run", "--cores", "2", *configured(folder), environment=LOCAL)
    assert run.returncode == 0, run.stderr[-4000:]
    return folder


def configured(folder, **changes):
    """The argument that names the comparison's configuration, with ``changes``."""
    path = folder / "mine/comparison.yaml"
    if changes:
        config = {**yaml.safe_load(path.read_text()), **changes}
        path = path.with_name("changed.yaml")
        path.write_text(yaml.safe_dump(config))
    # the plug-ins are named relative to this file, which lies outside the working directory
    return ["--configfile", str(path)]


# the comparison's network, the same model with another option, and a built-in model
WIDE = {"dataset": "photo_tiles", "model": "small_cnn", "name": "wide_cnn"}
NETWORKS = [
    {"dataset": "photo_tiles", "model": "small_cnn"},
    {**WIDE, "options": {"channels": 16}},
    {"dataset": "photo_tiles", "model": "mlp"},
]
WIDE_UNIT = f"{EXAMPLE}/photo_tiles/wide_cnn/seed0/finetune/magnitude/x2/metrics.json"
MLP_SCORES = f"{EXAMPLE}/photo_tiles/mlp/seed0/finetune/active_inputs/scores.safetensors"


@pytest.fixture(scope="module")
def widened(root, finished):
    """The finished folder, with a unit and the scores of two further networks."""
    arguments = [*configured(finished, networks=NETWORKS), "--", WIDE_UNIT, MLP_SCORES]
    run = snakemake(root, finished / "run", "--cores", "2", *arguments)
    assert run.returncode == 0, run.stderr[-4000:]
    return finished


@pytest.fixture
def plans(root, finished):
    """A function: the jobs that are planned after it was called with what it does to a plug-in."""
    changed = []

    def plan(file, change):
        path = finished / "mine" / file
        changed.append((path, path.read_bytes(), path.stat()))
        change(path)
        return planned(root, finished / "run", *configured(finished))

    yield plan
    for path, content, stat in changed:
        path.write_bytes(content)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def comment(path):
    path.write_text(path.read_text() + "# changed\n")


def touch(path):
    path.touch()


def code(path):
    path.write_text(path.read_text() + "CHANGED = True\n")


def test_the_method_stands_in_the_table_beside_the_built_in_ones(finished):
    table = pd.read_parquet(finished / "run" / EXAMPLE / "metrics.parquet")
    assert set(table.dataset) == {"photo_tiles"}
    counts = table.groupby("method").size().to_dict()
    assert counts == dict.fromkeys(["active_inputs", "magnitude", "random"], 3)
    mine = table[table.method == "active_inputs"]
    assert ((mine.params_total / mine.compression).round() == mine.params_kept).all()
    # far above the half that guessing one of two photographs gives
    assert mine[mine.compression == 2].accuracy_finetuned.min() > 0.9


def test_one_model_under_two_names_is_two_networks(widened):
    small = WIDE_UNIT.replace("wide_cnn", "small_cnn")
    table, _ = tables.tables([widened / "run" / path for path in (small, WIDE_UNIT)])

    def weights(channels):
        convolutions = 3 * channels + channels * 2 * channels + 2 * channels * 4 * channels
        return 9 * convolutions + 4 * channels * 2

    columns = table[["network", "model", "params_total"]].itertuples(index=False, name=None)
    assert list(columns) == [
        ("small_cnn", "small_cnn", weights(8)),
        ("wide_cnn", "small_cnn", weights(16)),
    ]


def test_the_method_scores_a_built_in_model_as_well(widened):
    scored = results.load(widened / "run" / MLP_SCORES)
    assert scored.method == "active_inputs"
    assert scored.result.scores.keys() == {"fc1.weight", "fc2.weight", "fc3.weight"}


def test_an_option_of_one_network_leaves_the_others_alone(root, widened):
    changed = [NETWORKS[0], {**WIDE, "options": {"channels": 12}}, NETWORKS[2]]
    arguments = [*configured(widened, networks=changed), "--", WIDE_UNIT, MLP_SCORES]
    jobs = planned(root, widened / "run", *arguments)
    assert {job.rule for job in jobs} == {"train", *OF_METHOD}
    assert {job.wildcards["network"] for job in jobs} == {"wide_cnn"}


def test_the_figures_show_the_method_in_a_colour_of_its_own(finished):
    table = pd.read_parquet(finished / "run" / EXAMPLE / "metrics.parquet")
    with plugins.only_plugins([finished / "mine/method.py"]):
        figure = figures.accuracy_against_compression(table)
    (legend,) = figure.legends
    colours = {
        text.get_text(): to_rgb(handle.get_color())
        for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)
    }
    assert list(colours) == ["Dense", "Magnitude", "Random", "Active inputs"]
    assert len(set(colours.values())) == len(colours)
    assert (
        "Active inputs"
        in (finished / "run" / EXAMPLE / "figures/accuracy_finetuned.svg").read_text()
    )


@pytest.fixture(scope="module")
def runs(finished):
    """The runs in MLflow, by unit."""
    client = MlflowClient(f"sqlite:///{finished}/run/{EXAMPLE}/mlflow.db")
    experiment = client.get_experiment_by_name("example")
    found = client.search_runs([experiment.experiment_id], max_results=1000)
    return {run.data.tags["graphprune.unit"]: run for run in found}


def test_mlflow_has_a_run_for_every_unit_of_the_method(finished, runs):
    table = pd.read_parquet(finished / "run" / EXAMPLE / "metrics.parquet")
    mine = table[table.method == "active_inputs"]
    for row in mine.itertuples():
        run = runs[f"photo_tiles/small_cnn/seed0/finetune/active_inputs/x{row.compression:g}"]
        assert run.data.metrics["accuracy_finetuned"] == row.accuracy_finetuned
        assert run.data.metrics["score/examples"] == 10
        assert run.data.params["method/power"] == "1.0"


PREDICT = """
import sys
import mlflow, numpy
model = mlflow.pyfunc.load_model(sys.argv[1])
numpy.save(sys.argv[2], model.predict(numpy.ones((2, 3, 16, 16), numpy.float32)))
"""


def test_another_process_loads_the_recorded_network_without_the_plugin(
    root, finished, runs, tmp_path
):
    unit = "photo_tiles/small_cnn/seed0/finetune/magnitude/x4"
    model = f"{runs[unit].info.artifact_uri}/model"
    environment = {**os.environ, "PYTHONPATH": str(root)}
    # no plug-in in the folder it runs in, none named
    arguments = [sys.executable, "-c", PREDICT, model, str(tmp_path / "logits.npy")]
    subprocess.run(arguments, cwd=tmp_path, env=environment, check=True)
    path = finished / "run" / EXAMPLE / unit / "finetuned.safetensors"
    with plugins.only_plugins([finished / "mine/network.py"]), torch.no_grad():
        expected = networks.load(path)[0](torch.ones(2, 3, 16, 16))
    torch.testing.assert_close(torch.from_numpy(np.load(tmp_path / "logits.npy")), expected)


def test_nothing_is_left_to_do(root, finished):
    assert planned(root, finished / "run", *configured(finished)) == []


@pytest.mark.parametrize("file", ["method.py", "network.py", "dataset.py"])
def test_a_plugin_that_is_touched_and_not_changed_plans_nothing(plans, file):
    assert plans(file, touch) == []
    assert plans(file, comment) == []


def test_a_changed_method_makes_its_own_results_anew_and_no_others(plans):
    jobs = plans("method.py", code)
    assert {job.rule for job in jobs} == OF_METHOD | AGGREGATES
    of_method = [job for job in jobs if job.rule in OF_METHOD]
    assert {job.wildcards["method"] for job in of_method} == {"active_inputs"}
    assert len(of_method) == len(OF_METHOD)


def test_a_changed_network_is_trained_anew(plans):
    jobs = plans("network.py", code)
    rules = {job.rule for job in jobs}
    assert rules >= {"train", "activations", *OF_METHOD}
    assert not rules & {"data", "store"}
    assert sum(job.rule == "train" for job in jobs) == 1


def test_a_changed_dataset_is_prepared_anew(plans):
    jobs = plans("dataset.py", code)
    assert sum(job.rule == "data" for job in jobs) == 1
    assert {job.rule for job in jobs} >= {"train", *OF_METHOD}


BAD = {
    "syntax.py": ("def f(:\n", "line 1: SyntaxError: invalid syntax"),
    "fails.py": ("import os\nos.nothing\n", "line 2: AttributeError: module 'os' has no attribute"),
    "taken.py": (
        "import graphprune\n@graphprune.register_model('mlp')\ndef build(shape, classes): ...\n",
        "model mlp is already defined by graphprune itself",
    ),
    "no_run.py": (
        "from dataclasses import dataclass\nfrom typing import ClassVar\nimport graphprune\n\n"
        "@dataclass(frozen=True)\nclass Mine(graphprune.Method):\n"
        "    name: ClassVar[str] = 'mine'\n    paper: ClassVar[str] = 'none'\n",
        "Mine: has no method run",
    ),
    "missing.py": (None, "'missing.py': no such file in "),
}


@pytest.mark.parametrize("file", BAD)
def test_a_bad_plugin_ends_in_one_line_and_writes_nothing(root, tmp_path, file):
    text, sentence = BAD[file]
    config = yaml.safe_load((root / "workflow/presets/tiny.yaml").read_text())
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({**config, "plugins": [file]}))
    if text is not None:
        (tmp_path / file).write_text(text)
    run = snakemake(root, tmp_path, "--cores", "1", "--configfile", str(path))
    assert run.returncode != 0
    lines = [line for line in (run.stdout + run.stderr).splitlines() if sentence in line]
    assert len(lines) == 1, run.stdout + run.stderr
    assert lines[0].startswith("config: ")
    assert file in lines[0]
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "results").exists()
