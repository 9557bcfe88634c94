"""What several networks share: He initialisation, and the nonlinearity by name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import nn

Activation = Annotated[
    Literal["relu", "tanh"], Field(description="Nonlinearity after every layer but the last.")
]


def nonlinearity(name: str) -> nn.Module:
    """A new module of the nonlinearity ``name``, one of `Activation`."""
    return nn.Tanh() if name == "tanh" else nn.ReLU()


def he_normal(model: nn.Module) -> None:
    """Weights of convolutions and linear layers ~ N(0, 2 / fan_out or 2 / fan_in), biases 0.

    Convolutions by fan out, linear layers by fan in, in place, from the global random state.

    Paper: He et al., Delving Deep into Rectifiers, arXiv 1502.01852.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
