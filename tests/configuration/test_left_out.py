"""Methods that cannot score a network are left out of the plan, each with one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from graphprune.configuration.complete import Complete, complete
from graphprune.configuration.left_out import left_out, sentences
from graphprune.errors import UserError
from graphprune.methods.catalog import METHODS, method_class
from graphprune.models.catalog import MODELS, check_fit
from graphprune.models.sizes import on_meta
from graphprune.plugins import only_plugins
from graphprune.verify.folder import Folder


def completed(*models: str, methods: tuple[str, ...] = ("magnitude", "curvature")) -> Complete:
    return complete(
        {
            "networks": [{"dataset": "cifar10", "model": model} for model in models],
            "seeds": [0],
            "compressions": [2],
            "methods": {method: {} for method in methods},
        }
    )


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("vit_b_16", r"encoder.layers.encoder_layer_0.self_attention \(MultiheadAttention\)"),
        ("convnext_tiny", r"permute in features.0.1"),
        ("efficientnet_b0", r"mul in features.1.0.block.1"),
    ],
)
def test_curvature_is_left_out(model: str, reason: str) -> None:
    config = completed(f"torchvision:{model}", "resnet8")
    (sentence,) = sentences(left_out(config))
    start = f"cifar10/torchvision-{model}: without curvature, which cannot score it (operation "
    assert sentence.startswith(start)
    assert sentence.endswith("is not supported; see docs/neural-graph.md for those that are)")
    assert left_out(config).keys() == {("cifar10", f"torchvision-{model}", "curvature")}
    assert re.search(reason, sentence)


def test_networks_with_a_neural_graph_keep_every_method() -> None:
    config = completed("torchvision:mobilenet_v2", "torchvision:resnet18", "lenet5")
    assert left_out(config) == {}


def test_a_network_that_no_method_can_score_is_refused() -> None:
    with pytest.raises(UserError, match=r"networks\[0\]: none of the methods can score cifar10/to"):
        completed("torchvision:vit_b_16", methods=("curvature",))


def test_a_completed_configuration_is_complete() -> None:
    config = completed("torchvision:vit_b_16")
    assert config["networks"][0]["name"] == "torchvision-vit_b_16"
    assert complete(config) == config
    with pytest.raises(UserError, match="lower case letters"):
        complete({**config, "networks": [{**config["networks"][0], "name": "torchvision-x"}]})


def test_verification_expects_no_units_that_are_left_out() -> None:
    folder = Folder("results", completed("torchvision:vit_b_16", "resnet8"))
    methods = {
        network.network: {unit.method for unit in folder.units(network)}
        for network in folder.networks()
    }
    assert methods == {
        "torchvision-vit_b_16": {"magnitude"},
        "resnet8": {"magnitude", "curvature"},
    }


SHAPES = ((3, 32, 32), (1, 28, 28))


@pytest.mark.parametrize("model", MODELS.builtin())
def test_built_in_methods_score_every_built_in_network(model: str) -> None:
    """So that planning these needs no torch."""
    for shape in SHAPES:
        try:
            check_fit(model, shape)
        except UserError:
            continue
        network = on_meta(model, shape, 10)
        for method in METHODS.builtin():
            assert method_class(method).refuses(network, shape) == ""
        return
    pytest.fail("fits no shape")


PLUGIN = """
from dataclasses import dataclass
from typing import ClassVar
import graphprune

@dataclass(frozen=True)
class Picky(graphprune.Method):
    name: ClassVar[str] = "picky"
    paper: ClassVar[str] = "none"

    @classmethod
    def refuses(cls, model, input_shape):
        layers = len(graphprune.prunable(model))
        return f"it has {layers} layers" if layers > 5 else ""

    def run(self, model, inputs=None, targets=None):
        raise AssertionError("not run")
"""


def test_a_method_of_a_plugin_is_asked_about_built_in_networks(tmp_path: Path) -> None:
    path = tmp_path / "picky.py"
    path.write_text(PLUGIN)
    with only_plugins([path]):
        config = completed("resnet8", "lenet5", methods=("magnitude", "picky"))
        assert left_out(config) == {("cifar10", "resnet8", "picky"): "it has 8 layers"}
