"""Fully connected networks: 64–128–64–10 for digits, LeNet-300-100 for 28×28 images."""

from __future__ import annotations

from math import prod
from typing import Annotated, cast

from pydantic import Field
from torch import Tensor, nn

SMALL = 64  # inputs with at most this many features get the smaller hidden layers


class MLP(nn.Module):
    """Hidden layers with ReLU: 128 and 64 wide for at most 64 inputs, else 300 and 100.

    Paper of the larger one: LeCun et al., Gradient-based learning applied to document recognition,
    1998.
    """

    def __init__(self, features: int, hidden: list[int], num_classes: int) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.depth = len(hidden) + 1
        for number, width in enumerate([*hidden, num_classes], 1):
            setattr(self, f"fc{number}", nn.Linear(features, width))
            if number < self.depth:
                setattr(self, f"relu{number}", nn.ReLU())
            features = width

    def forward(self, x: Tensor) -> Tensor:
        x = self.flatten(x)
        for number in range(1, self.depth):
            x = getattr(self, f"relu{number}")(getattr(self, f"fc{number}")(x))
        return cast(Tensor, getattr(self, f"fc{self.depth}")(x))


def build(
    input_shape: tuple[int, ...],
    num_classes: int,
    *,
    hidden: Annotated[
        Annotated[list[Annotated[int, Field(ge=1, le=2**20)]], Field(min_length=1, max_length=100)]
        | None,
        Field(description="Width of each hidden layer; null chooses by the input."),
    ] = None,
) -> nn.Module:
    features = prod(input_shape)
    return MLP(features, hidden or ([128, 64] if features <= SMALL else [300, 100]), num_classes)
