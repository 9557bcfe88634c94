"""Which methods cannot score which networks, known before anything starts.

Every built-in method scores every built-in network, which a test shows. Of other networks (of
torchvision, timm or a plug-in) a method is asked, on torch's meta device, where nothing is
computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from graphprune.data.catalog import describe
from graphprune.methods.base import Method
from graphprune.methods.catalog import METHODS, method_class
from graphprune.models.catalog import MODELS, Shape
from graphprune.models.sizes import network_text, on_meta

LeftOut = dict[tuple[str, str, str], str]


def left_out(config: Mapping[str, Any]) -> LeftOut:
    """Why a method cannot score a network, by (dataset, network's name, method's label).

    config: completed. Pairs that go together are not in it.
    """
    found: LeftOut = {}
    for network in config["networks"]:
        for label, entry in config["methods"].items():
            if reason := _reason(network, entry["method"]):
                found[network["dataset"], network["name"], label] = reason
    return found


def labels_without(found: LeftOut, dataset: str, network: str) -> set[str]:
    """The labels of the methods that are left out for a network."""
    return {label for where, name, label in found if (where, name) == (dataset, network)}


def sentences(found: LeftOut) -> Iterator[str]:
    """A line for each network and method that do not go together."""
    for (dataset, network, label), reason in found.items():
        yield f"{dataset}/{network}: without {label}, which cannot score it ({reason})"


def _reason(network: Mapping[str, Any], method: str) -> str:
    cls = method_class(method)
    builtin = network["model"] in MODELS.builtin() and method in METHODS.builtin()
    if builtin or cls.refuses is Method.refuses:
        return ""
    description = describe(network["dataset"])
    model, text = network["model"], network_text(network["options"])
    builder = MODELS[model].builder
    return _asked(cls, model, builder, description.input_shape, description.num_classes, text)


# cls, builder: a plug-in that is loaded again may have others under the same names
@cache
def _asked(
    cls: type[Method],
    model: str,
    builder: object,  # noqa: ARG001
    shape: Shape,
    classes: int,
    options: str,
) -> str:
    try:
        network = on_meta(model, shape, classes, options)
    except Exception:  # of a plug-in that looks at its numbers; the job itself will say
        return ""
    return cls.refuses(network, shape)
