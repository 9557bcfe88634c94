"""Networks that were trained elsewhere: what is filled in, what is refused, what needs no file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from configuration.examples import MINIMAL, refusal

from graphprune.configuration import brought, needs
from graphprune.configuration.complete import complete
from graphprune.configuration.plan import training_of
from graphprune.pretrained import published
from graphprune.pretrained.published import Facts

CONTENT = b"weights of no network"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
TINY = "weights:Tiny_Weights.V1"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a file of weights."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.pt").write_bytes(CONTENT)
    return tmp_path


def config(**keys: Any) -> dict[str, Any]:
    network = {"dataset": "digits", "model": "mlp", "checkpoint": "mine.pt", **keys}
    return {**MINIMAL, "networks": [network]}


def network(**keys: Any) -> dict[str, Any]:
    (found,) = complete(config(**keys))["networks"]
    return dict(found)


def test_path_and_digest_are_filled_in_and_a_completed_one_stays() -> None:
    found = network()
    assert (found["checkpoint"], found["sha256"]) == ("mine.pt", DIGEST)
    assert "preprocess" not in found
    full = complete(config(preprocess={"size": 16}))
    assert complete(full) == full
    assert full["networks"][0]["preprocess"] == {
        "mean": [], "std": [], "size": 16, "resize": None, "interpolation": "bilinear",
        "classes": [],
    }  # fmt: skip
    assert brought.shape_of(full["networks"][0]) == (1, 16, 16)


def test_a_file_lies_beside_the_configuration_or_where_we_work(folder: Path) -> None:
    beside = folder / "configs"
    beside.mkdir()
    (beside / "mine.pt").write_bytes(b"other")
    (found,) = complete(config(), beside)["networks"]
    assert found["checkpoint"] == "configs/mine.pt"
    assert found["sha256"] == hashlib.sha256(b"other").hexdigest()


def test_a_network_that_is_trained_here_has_no_new_entries() -> None:
    (found,) = complete({**MINIMAL, "networks": [{"dataset": "digits", "model": "mlp",
                                                  "checkpoint": None}]})["networks"]  # fmt: skip
    assert found == {"dataset": "digits", "model": "mlp", "name": "mlp", "options": {}}
    assert brought.remarks(found) == ""
    assert brought.recorded(found) == {}


def test_it_is_not_trained() -> None:
    full = complete({**config(), "train": {"epochs": 7}, "finetune": {"epochs": 3}})
    assert training_of(full, full["networks"][0], "train")["epochs"] == 0
    assert training_of(full, full["networks"][0], "finetune")["epochs"] == 3


def test_a_scaling_that_is_not_given_is_said() -> None:
    assert brought.remarks(network()).startswith("digits/mlp: no `preprocess` is given")
    assert brought.remarks(network(preprocess={"mean": [0.5], "std": [0.5]})) == ""


def test_the_record_names_the_file_without_its_folder(folder: Path) -> None:
    found = network(checkpoint=str(folder / "mine.pt"), preprocess={"size": 8})
    said = brought.recorded(found)
    assert said["checkpoint"] == "mine.pt"
    assert said["preprocess/size"] == 8


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"checkpoint": "gone.pt"}, "networks[0].checkpoint: 'gone.pt': no such file in "),
        ({"checkpoint": "mine.bin"}, "networks[0].checkpoint is 'mine.bin'; allowed: a file "),
        ({"checkpoint": "{a}.pt"}, "networks[0].checkpoint: '{a}.pt'; allowed: a path without"),
        ({"sha256": "0" * 64}, f"networks[0].sha256 is {'0' * 64}; mine.pt has {DIGEST}"),
        ({"sha256": "F" * 64}, "64 hexadecimal digits in lower case"),
        ({"train": {"epochs": 1}}, "networks[0].train: this network comes from networks[0].check"),
        ({"checkpoint": None, "preprocess": {}}, "networks[0].preprocess is about a `checkpoint`"),
        ({"checkpoint": None, "sha256": DIGEST}, "networks[0].sha256 is about a `checkpoint`"),
        (
            {"preprocess": {"mean": [0.5, 0.5], "std": [1, 1]}},
            "networks[0].preprocess: mean has 2 numbers; allowed: 1 or, as images have channels, 1",
        ),
        ({"preprocess": {"mean": [0.5]}}, "networks[0].preprocess: mean has 1 numbers and std 0"),
        (
            {"preprocess": {"classes": ["1", "0", *"23456789"]}},
            "networks[0].preprocess: classes[0] is '1'; in dataset digits it is '0'",
        ),
        ({"preprocess": {"scale": 1}}, "networks[0].preprocess.scale is 1; allowed keys here: "),
        (
            {"model": "lenet5", "preprocess": {"size": 12}},
            "networks[0].model on dataset digits: model lenet5 does not fit inputs of shape "
            "(1, 12, 12)",
        ),
        ({"checkpoint": "weights:No"}, "networks[0].checkpoint: torchvision publishes no class"),
        (
            {"checkpoint": "weights:ResNet18_Weights.IMAGENET1K_V1"},
            "networks[0].checkpoint: weights:ResNet18_Weights.IMAGENET1K_V1 tells 1000 classes "
            "apart; dataset digits has 10",
        ),
    ],
)
def test_what_does_not_go_together_is_one_line(keys: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(config(**keys))


@pytest.mark.parametrize("everywhere", [True, False])
def test_regime_scratch_has_no_untrained_network_to_start_from(everywhere: bool) -> None:
    both = ["finetune", "scratch"]
    keys = {"regimes": both} if everywhere else {"methods": {"magnitude": {"regimes": both}}}
    assert refusal({**config(), **keys}) == (
        "config: methods.magnitude.regimes has scratch, which starts from the untrained network; "
        "networks[0] comes trained from its checkpoint; allowed: finetune"
    )


def test_a_resized_image_fits_a_model_that_the_dataset_does_not() -> None:
    assert network(model="lenet5", preprocess={"size": 16})["model"] == "lenet5"


def test_published_weights_bring_their_preprocessing(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"mean": [0.4], "std": [0.2], "size": 16, "resize": 18, "interpolation": "bicubic"}
    facts = Facts("tiny-12345678.pth", 10, known, 0.9, "digits")
    monkeypatch.setattr(published, "facts", lambda _: facts)
    found = network(checkpoint=TINY)
    assert found["preprocess"] == {**known, "classes": []}
    assert "sha256" not in found
    assert brought.published_accuracy(found) == "0.9 on digits"
    assert brought.recorded(found)["checkpoint"] == TINY
    # what is given counts more
    given = network(checkpoint=TINY, preprocess={"mean": [0], "std": [1], "resize": 20})
    assert given["preprocess"] == {**known, "mean": [0.0], "std": [1.0], "resize": 20,
                                   "classes": []}  # fmt: skip
    assert "sha256 is of a file" in refusal(config(checkpoint=TINY, sha256=DIGEST))


def test_verification_needs_no_file(folder: Path) -> None:
    full = complete(config())
    (folder / "mine.pt").unlink()
    assert complete(full, look=False) == full
    assert "no such file" in refusal(full)


@pytest.mark.parametrize(
    ("methods", "graph", "activations"),
    [
        ({"magnitude": {}, "random": {}, "snip": {}, "probmask": {}}, False, False),
        ({"curvature": {}}, True, True),
        # drawn is the graph of the trained network
        ({"magnitude": {}, "curvature": {"regimes": ["scratch"]}}, True, True),
    ],
)
def test_activations_and_graph_are_made_where_a_method_looks_at_them(
    methods: dict[str, Any], graph: bool, activations: bool
) -> None:
    full = complete({**MINIMAL, "methods": methods})
    assert needs.needs_graph(full) == graph
    assert needs.needs_activations(full) == activations
