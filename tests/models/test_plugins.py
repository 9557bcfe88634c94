"""Networks of plug-ins: built by name, with options that are checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from plugin_examples import HEAD, NETWORK
from torch import nn

from graphprune import load_plugin, models
from graphprune.errors import UserError
from graphprune.models.catalog import check_fit
from graphprune.plugins import only_plugins


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Path]:
    with only_plugins([]):
        yield tmp_path / "plugin.py"


def test_options_of_a_network(plugin: Path) -> None:
    text = """
@graphprune.register_model("wide", misfit=lambda shape: "too small" if shape[1] < 4 else "")
def wide(input_shape, num_classes, *, width: Annotated[int, Field(ge=1)] = 3,
         hidden: tuple[int, ...] = ()):
    sizes = [input_shape[1] * input_shape[2], width, *hidden, num_classes]
    pairs = zip(sizes, sizes[1:])
    return torch.nn.Sequential(torch.nn.Flatten(), *[torch.nn.Linear(a, b) for a, b in pairs])

@graphprune.register_model("classy")
class Classy(torch.nn.Linear):
    def __init__(self, input_shape, num_classes, *, bias: bool = True):
        super().__init__(input_shape[2], num_classes, bias)
"""
    plugin.write_text(HEAD + text)
    load_plugin(plugin)

    def widths(**options: object) -> list[int]:
        network = models.build("wide", (1, 4, 4), 2, **options)
        return [layer.out_features for layer in network if isinstance(layer, nn.Linear)]

    assert widths() == [3, 2]
    assert widths(width=5, hidden=[4, 4]) == [5, 4, 4, 2]
    for options, sentence in (
        ({"width": 0}, "model wide: options.width is 0; allowed: >= 1"),
        ({"width": 2.0}, "options.width is 2.0; allowed: a value of type integer"),
        ({"depth": 1}, "options.depth is 1; allowed keys here: hidden, width"),
        ({"hidden": ["a"]}, r"options.hidden\[0\] is 'a'; allowed: a value of type integer"),
    ):
        with pytest.raises(UserError, match=sentence):
            models.build("wide", (1, 4, 4), 2, **options)
    with pytest.raises(UserError, match=r"model wide does not fit inputs of shape \(1, 3, 3\): to"):
        models.build("wide", (1, 3, 3), 2)
    assert models.build("classy", (1, 4, 4), 2, bias=False).bias is None
    with pytest.raises(UserError, match=r"options\.bias is 0; allowed: a value of type boolean"):
        models.build("classy", (1, 4, 4), 2, bias=0)


def test_a_misfit_that_fails_is_a_misfit(plugin: Path) -> None:
    plugin.write_text(NETWORK.replace('"line"', '"line", misfit=lambda shape: shape[7]'))
    load_plugin(plugin)
    with pytest.raises(UserError, match="misfit raised IndexError: tuple index out of range"):
        check_fit("line", (1, 4, 4))


def test_networks_of_a_plugin_are_seeded(plugin: Path) -> None:
    plugin.write_text(NETWORK)
    load_plugin(plugin)
    one, same, other = (models.build("line", (1, 4, 4), 2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one[1].weight, same[1].weight)
    assert not torch.equal(one[1].weight, other[1].weight)
