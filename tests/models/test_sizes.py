"""How large networks are: counted, kept beside the catalog, and sensible where nobody knows."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from math import prod
from pathlib import Path

import pytest
import torch
from torch import nn

from graphprune import load_plugin, models
from graphprune.data import describe, load
from graphprune.data.catalog import DATASETS
from graphprune.errors import UserError
from graphprune.jobs import demands
from graphprune.models.catalog import MODELS, check_fit
from graphprune.models.sizes import FILE, UNKNOWN, Size, count, counted, network_size
from graphprune.plugins import only_plugins


def pairs() -> list[tuple[str, str]]:
    """Every network with the first dataset of each shape that it takes."""
    chosen: dict[tuple[str, tuple[int, ...]], tuple[str, str]] = {}
    for model in MODELS.builtin():
        for dataset in DATASETS.builtin():
            shape = describe(dataset).input_shape
            try:
                check_fit(model, shape)
            except UserError:
                continue
            chosen.setdefault((model, shape), (dataset, model))
    return sorted(chosen.values())


def by_hand(network: nn.Module, shape: tuple[int, ...]) -> Size:
    """As in the documentation of `Size`, from the shapes that layers have when they run."""
    outputs = multiplications = prunable = 0

    def hook(module: nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal outputs, multiplications, prunable
        outputs += output.numel()
        if isinstance(module, nn.Conv2d):
            prunable += module.weight.numel()
            multiplications += module.weight.numel() * output.shape[2] * output.shape[3]
        elif isinstance(module, nn.Linear):
            prunable += module.weight.numel()
            multiplications += module.weight.numel()

    for module in network.modules():
        if not list(module.children()):
            module.register_forward_hook(hook)
    network.eval()(torch.rand(1, *shape))
    parameters = sum(weight.numel() for weight in network.parameters())
    return Size(parameters, prunable, outputs, multiplications)


@pytest.mark.parametrize(("dataset", "model"), pairs())
def test_stored_sizes_are_those_of_the_networks(dataset: str, model: str) -> None:
    description = describe(dataset)
    shape = description.input_shape
    # what large networks are filled with takes seconds
    with torch.device("meta" if prod(shape) > 10_000 else "cpu"):
        network = models.build(model, shape, description.num_classes)
        assert network_size(dataset, model) == by_hand(network, shape)


def test_the_file_of_sizes_is_not_stale() -> None:
    command = "run python -m graphprune.models.sizes"
    stored = {place: Size(**numbers) for place, numbers in json.loads(FILE.read_text()).items()}
    assert stored == counted(), command


def test_lenet5_by_hand() -> None:
    """Two convolutions of 6x6 with stride 2, then 256-120-84-10."""
    layers = [6 * 6 * 6, 6 * 16 * 36, 256 * 120, 120 * 84, 84 * 10]
    size = network_size("mnist", "lenet5")
    assert size.prunable == sum(layers)
    assert size.parameters == sum(layers) + 6 + 16 + 120 + 84 + 10
    assert size.multiplications == layers[0] * 144 + layers[1] * 16 + sum(layers[2:])


def test_attention_by_hand() -> None:
    """Seven tokens of width 8 in torch's encoder layer, then a layer that each of them passes."""

    class Encoder(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(
                nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), nn.Linear(8, 3)
            )

    weights = 3 * 64 + 64 + 2 * 8 * 16
    expected = Size(
        parameters=weights + 24 + 8 + 16 + 8 + 4 * 8 + 24 + 3,
        prunable=weights + 24,
        # attention, two linear layers, two norms and three dropouts, and the last layer
        activations=7 * (8 + 16 + 8 + 2 * 8 + (8 + 16 + 8) + 3),
        multiplications=7 * (weights + 24),
    )
    assert count(Encoder(), (7, 8)) == expected
    with torch.device("meta"):
        assert count(Encoder(), (7, 8)) == expected


def test_options_are_counted() -> None:
    narrow = network_size("cifar10", "resnet20", {"width": 2})
    network = models.build("resnet20", (3, 32, 32), 10, width=2)
    assert narrow == by_hand(network, (3, 32, 32))
    assert narrow.parameters < network_size("cifar10", "resnet20").parameters / 50


def test_layers_of_one_dimension_and_groups() -> None:
    network = nn.Sequential(nn.Conv1d(4, 8, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(48, 3))
    weights = 8 * 2 * 3 + 48 * 3
    assert count(network, (4, 8)) == Size(
        weights + 8 + 3, weights, 2 * 48 + 48 + 3, 8 * 2 * 3 * 6 + 48 * 3
    )


def test_a_linear_layer_is_used_at_every_position() -> None:
    assert count(nn.Linear(8, 3), (5, 8)) == Size(27, 24, 15, 5 * 24)


def test_the_catalog_says_how_many_images_the_small_datasets_have() -> None:
    for dataset in ("digits", "mnist5k"):
        loaded = load(dataset)
        splits = (loaded.train, loaded.validation, loaded.test)
        assert sum(len(split) for split in splits) == demands.images_of(dataset)


def test_every_dataset_has_a_number_of_examples() -> None:
    assert all(describe(name).examples > 0 for name in DATASETS.builtin())


def test_sizes_of_built_in_networks_do_not_import_torch() -> None:
    code = (
        "import sys; from graphprune.models.sizes import network_size;"
        "network_size('cifar100', 'resnet18'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


PLUGIN = """
import torch
from torch import nn
import graphprune

@graphprune.register_model("fine")
def fine(input_shape, num_classes, *, width: int = WIDTH):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.Linear(width, num_classes))

@graphprune.register_model("fails")
def fails(input_shape, num_classes):
    raise RuntimeError("no such\\ncluster")

@graphprune.register_model("looks_at_numbers")
def looks_at_numbers(input_shape, num_classes):
    network = nn.Linear(64, num_classes)
    network.threshold = float(network.weight.detach().sum())
    return network

@graphprune.register_model("empty")
def empty(input_shape, num_classes):
    return nn.Flatten()

@graphprune.register_model("no_module")
def no_module(input_shape, num_classes):
    return 3
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "networks.py"
    path.write_text(PLUGIN.replace("WIDTH", "7"))
    with only_plugins([path]):
        yield path


@pytest.mark.usefixtures("plugin")
def test_networks_of_plugins_are_counted() -> None:
    assert network_size("digits", "fine").prunable == 64 * 7 + 7 * 10
    assert network_size("digits", "fine", {"width": 3}).prunable == 64 * 3 + 3 * 10


def test_a_plugin_that_was_changed_is_counted_anew(plugin: Path) -> None:
    network_size("digits", "fine")
    plugin.write_text(PLUGIN.replace("WIDTH", "5"))
    load_plugin(plugin)
    assert network_size("digits", "fine").prunable == 64 * 5 + 5 * 10


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize("name", ["fails", "looks_at_numbers"])
def test_what_cannot_be_counted_has_a_sensible_size_and_a_line_in_the_log(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert network_size("digits", name) == UNKNOWN
    (record,) = caplog.records
    assert record.message.startswith(f"model {name} cannot be counted before it runs (RuntimeError")
    assert "\n" not in record.message
    assert record.exc_info is None
    # a job of it asks for something
    assert demands.memory(demands.Task("train", "digits", name)) > 500
    assert demands.minutes(demands.Task("train", "digits", name, passes=1)) >= 2


@pytest.mark.usefixtures("plugin")
def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(UserError, match=r"model no_module: its builder returned int; expected an"):
        network_size("digits", "no_module")
    with pytest.raises(UserError, match="has no linear or convolution layer"):
        count(nn.Sequential(nn.PReLU()), (1, 8, 8))


@pytest.mark.usefixtures("plugin")
def test_a_network_without_weights_is_refused_or_unknown() -> None:
    assert network_size("digits", "empty") == UNKNOWN
