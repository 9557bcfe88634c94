"""Plug-ins in a few lines, and what is left of one that is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from graphprune.data.catalog import DATASETS
from graphprune.errors import UserError
from graphprune.methods.catalog import METHODS
from graphprune.models.catalog import MODELS
from graphprune.plugins import load_plugin

HEAD = """
from dataclasses import dataclass, field
from typing import Annotated, ClassVar
from pydantic import Field
import torch
import graphprune
"""
METHOD = (
    HEAD
    + """
@dataclass(frozen=True)
class Mine(graphprune.Method):
    name: ClassVar[str] = "mine"
    paper: ClassVar[str] = "a test"
    power: Annotated[float, Field(gt=0)] = 1.0

    def run(self, model, inputs=None, targets=None):
        weights = graphprune.prunable(model)
        return graphprune.Result({name: w.detach().abs() ** self.power
                                  for name, w in weights.items()})
"""
)
NETWORK = (
    HEAD
    + """
from math import prod

@graphprune.register_model("line")
def build(input_shape, num_classes):
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(prod(input_shape), num_classes))
"""
)
DATASET = (
    HEAD
    + """
import numpy as np

@graphprune.register_dataset("blobs", input_shape=(1, 4, 4), num_classes=2)
def load(folder):
    images = np.arange(20 * 16, dtype=np.uint8).reshape(20, 1, 4, 4)
    return {"train": (images, np.arange(20) % 2), "test": (images[:4], np.arange(4) % 2)}
"""
)
ATTRIBUTES = '    name: ClassVar[str] = "mine"\n    paper: ClassVar[str] = "a test"\n'


def method(body: str, decorator: str = "@dataclass(frozen=True)", run: bool = True) -> str:
    """The text of a plug-in with one method, whose class begins with ``body``."""
    end = "    def run(self, model, inputs=None, targets=None): ...\n" if run else ""
    return f"{HEAD}\n{decorator}\nclass Mine(graphprune.Method):\n{body}\n{end}"


def added() -> set[str]:
    """Everything that plug-ins have added."""
    catalogs: tuple[Any, ...] = (METHODS, MODELS, DATASETS)
    return {name for catalog in catalogs for name in set(catalog) - set(catalog.builtin())}


def file_modules() -> set[str]:
    return {name for name in sys.modules if name.startswith("graphprune_plugin_")}


def refusal(path: Path | str) -> str:
    before, modules = added(), file_modules()
    with pytest.raises(UserError) as caught:
        load_plugin(path)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 1000
    assert str(path) in message
    # nothing of it is left behind, and it is no longer a module
    assert added() == before
    assert file_modules() == modules
    return message
