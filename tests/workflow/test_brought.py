"""Networks trained by a plain loop outside the package, taken over and pruned by all methods."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import one_process
import plain_results as plain
import pytest
import torch
import yaml
from torch import nn

from graphprune import data
from graphprune.archive import results as archived
from graphprune.configuration.complete import complete
from graphprune.errors import UserError
from graphprune.files import write_json
from graphprune.plugins import only_plugins
from graphprune.verify import verify

# a network with a shortcut and batch norms, as a plug-in
RESNET = """
import graphprune
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        sizes = ((1, width, 3, 2, 1), (width, width, 3, 1, 1), (width, width, 3, 1, 1))
        self.convolutions = nn.ModuleList(nn.Conv2d(*size, bias=False) for size in sizes)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in sizes)
        self.head = nn.Linear(16 * width, 10)

    def forward(self, images):
        x = torch.relu(self.norms[0](self.convolutions[0](images)))
        y = torch.relu(self.norms[1](self.convolutions[1](x)))
        x = torch.relu(x + self.norms[2](self.convolutions[2](y)))
        return self.head(x.flatten(1))


@graphprune.register_model("small_resnet")
def build(input_shape, num_classes):
    return Net()
"""


def documented(root: Path, language: str) -> str:
    """The block of that language in the section on networks of one's own."""
    page = (root / "docs/training.md").read_text()
    section = page.partition("## Prune a network of your own\n")[2].partition("\n## ")[0]
    (block,) = re.findall(rf"```{language}\n(.*?)```", section, re.S)
    return str(block)


def network_of(program: str) -> nn.Module:
    """The class ``Net`` of a plug-in, without graphprune."""
    kept, _, _ = program.replace("import graphprune\n", "").partition("@graphprune")
    module = types.ModuleType("mine")
    exec(kept, module.__dict__)
    torch.manual_seed(0)
    network: nn.Module = module.Net()
    return network


def scaled(split: data.Split) -> torch.Tensor:
    return (split.images - 0.5) / 0.25


def trained(network: nn.Module, epochs: int) -> float:
    """Train by a plain loop; accuracy on the test split."""
    digits = data.load("digits")
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(digits.train)).split(64):
            optimizer.zero_grad()
            logits = network(scaled(digits.train)[batch])
            nn.functional.cross_entropy(logits, digits.train.labels[batch]).backward()
            optimizer.step()
    network.eval()
    with torch.no_grad():
        right = network(scaled(digits.test)).argmax(1) == digits.test.labels
    return int(right.sum()) / len(digits.test)


TRANSFORMER, RESIDUAL = "digits/mine", "digits/small_resnet"
METHODS = ("magnitude", "snip", "random", "rgp", "probmask", "curvature")
# attention has no curvature
UNITS = [
    (n, m) for n in (TRANSFORMER, RESIDUAL) for m in METHODS if (n, m) != (TRANSFORMER, METHODS[-1])
]


@dataclass(frozen=True)
class Run:
    """A finished run: its folder and jobs, the networks and their accuracies by name."""

    folder: Path
    jobs: list[dict[str, Any]]
    networks: dict[str, nn.Module]
    accuracies: dict[str, float]

    def metrics(self, network: str, method: str) -> dict[str, Any]:
        path = self.folder / f"results/mine/{network}/seed0/finetune/{method}/x4/metrics.json"
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def dense(self, network: str) -> Path:
        return self.folder / f"results/mine/{network}/seed0/dense"


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The documented lines with a second network, and with every method that can prune them."""
    folder = tmp_path_factory.mktemp("brought")
    programs = {TRANSFORMER: documented(root, "python"), RESIDUAL: RESNET}
    networks = {name: network_of(program) for name, program in programs.items()}
    accuracies = {name: trained(network, 3) for name, network in networks.items()}
    (folder / "mine.py").write_text(programs[TRANSFORMER])
    (folder / "resnet.py").write_text(RESNET)
    torch.save(networks[TRANSFORMER].state_dict(), folder / "mine.pt")
    parallel = {f"module.{key}": t for key, t in networks[RESIDUAL].state_dict().items()}
    torch.save({"model": parallel, "epoch": 3}, folder / "resnet.pth")
    config = yaml.safe_load(documented(root, "yaml"))
    other = {**config["networks"][0], "model": "small_resnet", "checkpoint": "resnet.pth"}
    config["networks"].append(other)
    config["plugins"].append("resnet.py")
    config["methods"] |= {"random": {}, "rgp": {}, "probmask": {"epochs": 1}, "curvature": {}}
    (folder / "mine.yaml").write_text(yaml.safe_dump(config))
    wanted = [f"results/mine/{n}/seed0/finetune/{m}/x4/metrics.json" for n, m in UNITS]
    jobs = one_process.run(root, folder, Path("mine.yaml"), *wanted)
    return Run(folder, jobs, networks, accuracies)


@pytest.fixture
def noted(run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In the folder, with the configuration that a run leaves in its results."""
    monkeypatch.chdir(run.folder)
    with only_plugins(["mine.py", "resnet.py"]):
        config = complete(yaml.safe_load(Path("mine.yaml").read_text()))
        write_json("results/mine/config.json", config, {})
        yield


def test_the_documented_configuration_is_ten_lines(root: Path) -> None:
    assert len(documented(root, "yaml").splitlines()) == 10


@pytest.mark.parametrize(("network", "method"), UNITS, ids=str)
def test_it_has_its_accuracy_before_pruning_exactly(run: Run, network: str, method: str) -> None:
    metrics = run.metrics(network, method)
    assert run.accuracies[network] > 0.2
    assert metrics["accuracy_dense"] == run.accuracies[network]
    # no epoch but fine-tuning's, and ProbMask's own
    assert metrics["epochs"] == 1 + (method == "probmask")
    if method != "rgp":
        assert metrics["params_kept"] == round(metrics["params_total"] / 4)


@pytest.mark.parametrize("network", [TRANSFORMER, RESIDUAL])
def test_the_weights_are_those_of_the_file_and_no_epoch_was_trained(run, network) -> None:
    weights = plain.tensors(run.dense(network) / "checkpoint.safetensors")
    state = run.networks[network].state_dict()
    assert weights.keys() == state.keys()
    assert all(torch.equal(weights[key], state[key]) for key in state)
    assert (run.dense(network) / "history.csv").read_bytes() == b"\r\n"


def test_the_joint_projection_of_attention_counts_as_three_layers(run: Run) -> None:
    metrics = run.metrics(TRANSFORMER, "magnitude")
    assert metrics["params_total"] == 4 * 16 + 2 * (4 * 16 * 16 + 2 * 16 * 32) + 16 * 10
    names = [layer["layer"] for layer in metrics["layers"]]
    assert [name for name in names if name.startswith("blocks.0.self_attn.in_proj_weight")] == [
        f"blocks.0.self_attn.in_proj_weight.{part}" for part in ("query", "key", "value")
    ]


def test_nothing_is_made_that_no_method_looks_at(run: Run) -> None:
    rules = {(job["rule"], job["wildcards"].get("network")) for job in run.jobs}
    assert ("take_over", "mine") in rules
    assert ("activations", "small_resnet") in rules
    assert not {("activations", "mine"), ("graph", "mine")} & rules
    assert not {"train", "initial_activations"} & {rule for rule, _ in rules}


def test_calibration_examples_are_scaled_as_in_training(run: Run) -> None:
    held = plain.tensors(run.dense(RESIDUAL) / "activations.safetensors")
    assert torch.equal(held["layer/input"], scaled(data.load("digits").train)[held["indices"]])
    with torch.no_grad():
        right = run.networks[RESIDUAL](held["layer/input"]).argmax(1)
    assert torch.equal(right, held["labels"])
    assert len([key for key in held if key.startswith("layer/")]) == 5


@pytest.mark.usefixtures("noted")
def test_the_finished_folder_verifies_without_the_files(run: Run) -> None:
    moved = (run.folder / "mine.pt").rename(run.folder / "elsewhere.pt")
    try:
        findings = verify("results/mine", plugins=True, measure=True)
    finally:
        moved.rename(run.folder / "mine.pt")
    assert findings.wrong == []
    assert findings.looked["units measured again"] == len(UNITS)


@pytest.mark.usefixtures("noted")
def test_an_archive_packs_the_files() -> None:
    packed = {entry.name: entry for entry in archived.entries("results/mine", weights=False)}
    networks = yaml.safe_load(packed["configuration.yaml"].content())["networks"]
    for network, file in zip(networks, ("mine.pt", "resnet.pth"), strict=True):
        name = network["checkpoint"]
        assert name == f"checkpoints/{network['sha256'][:12]}-{file}"
        assert packed[name].content() == Path(file).read_bytes()
    Path("mine.pt").rename("elsewhere.pt")
    try:
        with pytest.raises(UserError, match=r"mine\.pt: is not the file that mine was taken from"):
            list(archived.entries("results/mine", weights=False))
    finally:
        Path("elsewhere.pt").rename("mine.pt")
