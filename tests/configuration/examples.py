"""A configuration of four keys, and changes of it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest

from graphprune.configuration.complete import complete
from graphprune.errors import UserError
from graphprune.methods.catalog import METHODS

MINIMAL: dict[str, Any] = {
    "networks": [{"dataset": "digits", "model": "mlp"}],
    "seeds": [0],
    "compressions": [2],
    "methods": {"magnitude": {}},
}


def attack() -> dict[str, Any]:
    """A section of a training with every key of its own sections."""
    return {"adversarial": {"epsilon": 0.1, "step": 0.05, "steps": 2}}


# a configuration in which every section stands, so that every key has a place
FULL: dict[str, Any] = {
    **MINIMAL,
    "networks": [{**MINIMAL["networks"][0], "train": attack(), "finetune": attack()}],
    "train": {"epochs": 20, **attack()},
    "finetune": {"epochs": 5, **attack()},
    "rgp_aspl": {"train": attack()},
    **{name: {} for name in ("data", "scratch", "calibration", "latency", "graph", "tracking")},
    "methods": {name: {} for name in METHODS.builtin()},
}


def changed(path: Sequence[Any], value: object) -> dict[str, Any]:
    """`MINIMAL` with ``value`` at ``path``; sections on the way are made."""
    config = copy.deepcopy(MINIMAL)
    *parents, last = path
    inner: Any = config
    for key in parents:
        inner = inner[key] if isinstance(inner, list) else inner.setdefault(key, {})
    inner[last] = value
    return config


def is_readable(message: str) -> bool:
    """Whether a user can read the message: one line, no longer than a screen, printable."""
    message.encode()
    return message.startswith("config: ") and message.isprintable() and len(message) < 1000


def refusal(config: dict[str, Any]) -> str:
    """What `complete` says of a configuration that it refuses."""
    with pytest.raises(UserError) as caught:
        complete(config)
    assert is_readable(str(caught.value)), ascii(str(caught.value))
    return str(caught.value)
