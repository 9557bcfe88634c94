"""The models by name; ``build`` makes a network of one, with seeded weights.

>>> build("lenet5", (1, 28, 28), num_classes=10)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphprune.errors import UserError
from graphprune.models.catalog import MODELS, check_fit, check_options

if TYPE_CHECKING:
    from torch import nn

__all__ = ["MODELS", "build", "check_fit"]


def build(
    name: str,
    input_shape: tuple[int, ...],
    num_classes: int,
    seed: int = 0,
    **options: object,
) -> nn.Module:
    """A network of the model ``name`` with random initial weights, on the CPU, in training mode.

    Parameters
    ----------
    name : one of ``MODELS``.
    input_shape : ``(channels, height, width)`` of one example.
    num_classes : number of outputs, at least 2.
    seed : of the initialisation; the global random state is left as it was.
    options : keyword-only parameters of the model's builder, such as ``width`` of "resnet20".

    Raises
    ------
    UserError : an unknown name or option, an input shape that the model does not fit, fewer than 2
        classes, a builder (of a plug-in) that returns no module.
    """
    import torch

    check_fit(name, input_shape)
    if num_classes < 2:
        raise UserError(f"num_classes is {num_classes}; allowed: at least 2")
    chosen = check_options(name, options)
    builder = MODELS[name].function()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = builder(tuple(input_shape), num_classes, **chosen)
    if not isinstance(network, torch.nn.Module):
        raise UserError(
            f"model {name}: its builder returned {type(network).__name__}; expected an nn.Module"
        )
    return network
