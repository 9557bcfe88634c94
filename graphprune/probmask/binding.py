"""The prunable weights of a network as one vector that its layers read from.

Any module works: convolution, linear, grouped or with shared weights. Its parameters stay; only
their storage is replaced. So a forward pass costs as much as in the dense network, and to apply a
mask is one multiplication over all layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from graphprune.errors import UserError
from graphprune.masks import prunable

if TYPE_CHECKING:
    from torch import Tensor


class Binding:
    """Storage of a network's prunable weights and of their gradients, each one vector.

    weights: ``(N,)``, what the layers multiply by; write it to change the network.
    gradient: ``(N,)``, where ``backward`` adds the gradients of all prunable weights.
    others: the remaining trainable parameters (biases, norms).
    names, shapes: of the prunable weights, in the order they lie in the vectors.
    """

    def __init__(self, model: nn.Module) -> None:
        weights = prunable(model)
        kinds = {(parameter.dtype, parameter.device) for parameter in weights.values()}
        if len(kinds) > 1:
            raise UserError(
                f"prunable weights are of {len(kinds)} dtypes or devices "
                f"({', '.join(sorted(str(kind) for kind in kinds))}); expected one"
            )
        self.model = model
        self.names = list(weights)
        self.shapes = [parameter.shape for parameter in weights.values()]
        self.sizes = [parameter.numel() for parameter in weights.values()]
        self.weights = torch.cat([p.detach().reshape(-1) for p in weights.values()])
        self.gradient = torch.zeros_like(self.weights)
        bound = set()
        for parameter, weight, gradient in zip(
            weights.values(), self.split(self.weights), self.split(self.gradient), strict=True
        ):
            parameter.data = weight
            parameter.requires_grad_(True)
            parameter.grad = gradient
            bound.add(id(parameter))
        self.others = [p for p in model.parameters() if id(p) not in bound and p.requires_grad]

    @property
    def count(self) -> int:
        """N, the number of prunable weights."""
        return self.weights.numel()

    def split(self, flat: Tensor) -> list[Tensor]:
        """Views of ``flat``, one for each prunable weight and of its shape."""
        parts = flat.split(self.sizes)
        return [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def named(self, flat: Tensor) -> dict[str, Tensor]:
        """The same views by parameter name."""
        return dict(zip(self.names, self.split(flat), strict=True))
