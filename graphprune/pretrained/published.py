"""Weights that are published under a name: what is known of them before they are fetched.

What torchvision says of its classifiers' weights lies in ``published.json`` beside this file, so
that planning need not import torchvision. ``python -m graphprune.pretrained.published`` writes that
file, and a test checks that it is not stale. timm is asked itself, where it is installed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from math import floor
from pathlib import Path
from typing import Any

from graphprune.errors import UserError, shown
from graphprune.models.families import NO_TIMM
from graphprune.pretrained.source import Source

FILE = Path(__file__).with_name("published.json")


@dataclass(frozen=True)
class Facts:
    """What is published about weights.

    file: its name, with the first digits of its SHA-256 before the suffix; empty where timm fetches
        it. outputs: number of classes. preprocess: how the network sees images
        (`graphprune.data.preprocess.Preprocess`). accuracy: share of test images classified
        correctly, as published; None where nothing is. of: the dataset that it was measured on.
    """

    file: str
    outputs: int
    preprocess: Mapping[str, object]
    accuracy: float | None = None
    of: str = ""


def facts(source: Source) -> Facts:
    """What is known of the published weights ``source``.

    Raises UserError for a name that is not known, and where timm is asked for and not installed.

    >>> facts(Source.of("weights:ResNet18_Weights.IMAGENET1K_V1")).accuracy
    0.69758
    """
    if source.kind == "timm":
        return _of_timm(source.name)
    known = _stored()
    if source.name not in known:
        near = get_close_matches(source.name, known, n=5, cutoff=0.5) or list(known)[:5]
        raise UserError(
            f"torchvision publishes no classifier's weights {shown(source.name)}; allowed are such "
            f"as {', '.join(near)}"
        )
    return Facts(**known[source.name])


def timm_for(name: str) -> Any:
    """The package timm; UserError, naming the weights ``name``, where it is not installed."""
    try:
        return import_module("timm")
    except ImportError as error:
        raise UserError(f"timm:{name}: {NO_TIMM}") from error


def _of_timm(name: str) -> Facts:
    timm = timm_for(name)
    config = timm.get_pretrained_cfg(name) if timm.is_model(name.partition(".")[0]) else None
    if config is None or not config.has_weights:
        raise UserError(f"timm publishes no weights {shown(name)}")
    side = int((config.test_input_size or config.input_size)[-1])
    preprocess = {
        "mean": list(config.mean),
        "std": list(config.std),
        "size": side,
        # as timm.data.transforms_factory scales images before it cuts out the middle
        "resize": floor(side / (config.test_crop_pct or config.crop_pct)),
        "interpolation": config.interpolation,
    }
    return Facts("", int(config.num_classes), preprocess)


@cache
def _stored() -> dict[str, dict[str, Any]]:
    known: dict[str, dict[str, Any]] = json.loads(FILE.read_text())
    return known


def of_torchvision() -> dict[str, Facts]:
    """The weights of all classifiers of the torchvision that is installed, by name."""
    from graphprune.torchvision_import import torchvision

    models = torchvision("models")
    found = {}
    for name in models.list_models(module=models):
        for weights in models.get_model_weights(name):
            # some are of the layers before the classifier alone
            if weights.meta["categories"]:
                found[str(weights)] = _facts_of(weights)
    return dict(sorted(found.items()))


def _facts_of(weights: Any) -> Facts:
    transforms = weights.transforms()
    file = weights.url.rpartition("/")[2]
    assert re.search(r"-[0-9a-f]{8,}\.", file), file
    preprocess = {
        "mean": list(transforms.mean),
        "std": list(transforms.std),
        "size": transforms.crop_size[0],
        "resize": transforms.resize_size[0],
        "interpolation": transforms.interpolation.value,
    }
    ((of, metrics),) = weights.meta["_metrics"].items()
    accuracy = round(metrics["acc@1"] / 100, 6)
    return Facts(file, len(weights.meta["categories"]), preprocess, accuracy, of)


def main() -> None:
    """Write what torchvision publishes beside this file, a line for each of its weights."""
    rows = [
        f"{json.dumps(name)}: {json.dumps(asdict(one))}" for name, one in of_torchvision().items()
    ]
    FILE.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
