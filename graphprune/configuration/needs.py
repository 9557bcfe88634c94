"""What the methods of a configuration need of each dense network beside its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphprune.methods.base import Method
from graphprune.methods.catalog import method_class
from graphprune.training.regimes import FINETUNE


def needs_graph(config: Mapping[str, Any]) -> bool:
    """Whether a method looks at the neural graph, which is written out and drawn then."""
    return any(cls.graph_options for cls, _ in _methods(config))


def needs_activations(config: Mapping[str, Any]) -> bool:
    """Whether a method, or the neural graph, looks at examples of the trained network."""
    looked = (cls.examples == "calibration" and FINETUNE in of for cls, of in _methods(config))
    return needs_graph(config) or any(looked)


def _methods(config: Mapping[str, Any]) -> Iterator[tuple[type[Method], list[str]]]:
    for entry in config["methods"].values():
        yield method_class(entry["method"]), entry["regimes"]
