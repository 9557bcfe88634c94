"""SGD and Adam by PyTorch's own update functions, without its optimizer classes.

Making a ``torch.optim`` optimizer imports PyTorch's compiler. That takes 3 s, and a job may train
for only one. The update functions behind the classes do not need the compiler and give the same
bits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd


class Optimizer(ABC):
    """Updates ``parameters`` in place from their gradients; one without a gradient stays."""

    def __init__(self, parameters: Iterable[Tensor], weight_decay: float = 0.0) -> None:
        self.parameters = list(parameters)
        self.weight_decay = weight_decay

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """One update of every parameter that has a gradient."""
        chosen = [index for index, p in enumerate(self.parameters) if p.grad is not None]
        gradients = [g for p in self.parameters if (g := p.grad) is not None]
        self._update(chosen, [self.parameters[index] for index in chosen], gradients, learning_rate)

    @abstractmethod
    def _update(
        self, chosen: list[int], parameters: list[Tensor], gradients: list[Tensor], rate: float
    ) -> None: ...


class SGD(Optimizer):
    """v ← momentum·v + g + weight_decay·w;  w ← w − learning_rate·v.

    fused: one pass over each parameter, by PyTorch's fused update.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        fused: bool = False,
    ) -> None:
        super().__init__(parameters, weight_decay)
        self.momentum = momentum
        self.fused = fused
        self.velocity: list[Tensor | None] = [None] * len(self.parameters)

    def _update(
        self, chosen: list[int], parameters: list[Tensor], gradients: list[Tensor], rate: float
    ) -> None:
        velocity = [self.velocity[index] for index in chosen]
        sgd(
            parameters,
            gradients,
            velocity,
            weight_decay=self.weight_decay,
            momentum=self.momentum,
            lr=rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            fused=self.fused or None,
        )
        for index, buffer in zip(chosen, velocity, strict=True):
            self.velocity[index] = buffer


class Adam(Optimizer):
    """Adam (Kingma and Ba, arXiv 1412.6980), β = (0.9, 0.999), ε = 1e-8, L2 weight decay.

    fused: one pass over each parameter, by PyTorch's fused update.
    """

    def __init__(
        self, parameters: Iterable[Tensor], weight_decay: float = 0.0, fused: bool = False
    ) -> None:
        super().__init__(parameters, weight_decay)
        self.fused = fused
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]
        self.steps = [torch.zeros((), device=p.device if fused else None) for p in self.parameters]

    def _update(
        self, chosen: list[int], parameters: list[Tensor], gradients: list[Tensor], rate: float
    ) -> None:
        adam(
            parameters,
            gradients,
            [self.first[index] for index in chosen],
            [self.second[index] for index in chosen],
            [],
            [self.steps[index] for index in chosen],
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=rate,
            weight_decay=self.weight_decay,
            eps=1e-8,
            maximize=False,
            fused=self.fused or None,
        )
