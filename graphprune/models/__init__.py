"""The networks by name, seeded.

>>> build("lenet5", (1, 28, 28), num_classes=10)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from graphprune.errors import UserError
from graphprune.models.catalog import MODELS, check_fit

if TYPE_CHECKING:
    from torch import nn

__all__ = ["MODELS", "build", "check_fit"]


def build(name: str, input_shape: tuple[int, ...], num_classes: int, seed: int = 0) -> nn.Module:
    """The network ``name`` at its random start, on the CPU, in training mode.

    Parameters
    ----------
    name : one of ``MODELS``.
    input_shape : ``(channels, height, width)`` of one example.
    num_classes : number of outputs, at least 2.
    seed : of the initialisation; the global random state is left as it was.

    Raises
    ------
    UserError : an unknown name, an input that the network does not fit, fewer than 2 classes.
    """
    import torch

    check_fit(name, input_shape)
    if num_classes < 2:
        raise UserError(f"num_classes is {num_classes}; allowed: at least 2")
    architecture = MODELS[name]
    module = import_module(architecture.module)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        made = module.build(tuple(input_shape), num_classes, *architecture.options)
    return cast("nn.Module", made)
