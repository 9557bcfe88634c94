"""What the methods of a configuration need of a dense network beside its weights."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from graphprune.methods.base import Method
from graphprune.methods.catalog import method_class
from graphprune.training.regimes import FINETUNE


def needs_graph(config: Mapping[str, Any], without: Collection[str] = ()) -> bool:
    """Whether a method looks at the neural graph, which is written out and drawn then.

    without: labels of the methods that are left out for the network (`left_out`).
    """
    return any(cls.graph_options for cls, _ in _methods(config, without))


def needs_activations(config: Mapping[str, Any], without: Collection[str] = ()) -> bool:
    """Whether a method, or the neural graph, looks at examples of the trained network.

    without: as for `needs_graph`.
    """
    looked = (
        cls.examples == "calibration" and FINETUNE in regimes
        for cls, regimes in _methods(config, without)
    )
    return needs_graph(config, without) or any(looked)


def _methods(
    config: Mapping[str, Any], without: Collection[str]
) -> Iterator[tuple[type[Method], list[str]]]:
    for label, entry in config["methods"].items():
        if label not in without:
            yield method_class(entry["method"]), entry["regimes"]
