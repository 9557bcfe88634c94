"""SGD and Adam by PyTorch's own update functions, without its optimizer classes.

Making a ``torch.optim`` optimizer imports PyTorch's compiler. That takes 3 s, and a job may train
for only one. The update functions behind the classes do not need the compiler and give the same
bits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.sgd import sgd


class Optimizer(ABC):
    """Updates ``parameters`` in place from their gradients; one without a gradient stays.

    without_decay: parameters that ``weight_decay`` is not for.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        weight_decay: float = 0.0,
        without_decay: Collection[Tensor] = (),
    ) -> None:
        self.parameters = list(parameters)
        self.weight_decay = weight_decay
        spared = {id(parameter) for parameter in without_decay}
        decayed: list[int] = []
        others: list[int] = []
        for index, parameter in enumerate(self.parameters):
            (others if id(parameter) in spared else decayed).append(index)
        # one call of torch where all decay alike
        groups = [(weight_decay, decayed), (0.0, others)]
        self._groups = [(decay, members) for decay, members in groups if members]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """What torch's ``GradScaler`` looks at: all parameters."""
        return [{"params": self.parameters}]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """One update of every parameter that has a gradient."""
        for decay, members in self._groups:
            chosen = [index for index in members if self.parameters[index].grad is not None]
            parameters = [self.parameters[index] for index in chosen]
            gradients = [g for p in parameters if (g := p.grad) is not None]
            self._update(chosen, parameters, gradients, learning_rate, decay)

    @abstractmethod
    def _update(
        self,
        chosen: list[int],
        parameters: list[Tensor],
        gradients: list[Tensor],
        rate: float,
        decay: float,
    ) -> None: ...

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """All that a step depends on beside parameters and gradients, by name."""

    @abstractmethod
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what `state` gave."""


def spared_of_decay(model: nn.Module) -> list[Tensor]:
    """The biases of ``model``, and all parameters of its norms: vectors, and what norms hold."""
    # batch and instance norm have one base, torch's others have none in common
    norms = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    held = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, norms)
        for parameter in module.parameters(recurse=False)
    }
    return [p for p in model.parameters() if p.ndim <= 1 or id(p) in held]


class SGD(Optimizer):
    """v ← momentum·v + g + weight_decay·w;  w ← w − learning_rate·v.

    fused: one pass over each parameter, by PyTorch's fused update.
    nesterov: w ← w − learning_rate·(g + weight_decay·w + momentum·v) instead, with the new v.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        fused: bool = False,
        nesterov: bool = False,
        without_decay: Collection[Tensor] = (),
    ) -> None:
        super().__init__(parameters, weight_decay, without_decay)
        self.momentum = momentum
        self.fused = fused
        self.nesterov = nesterov
        self.velocity: list[Tensor | None] = [None] * len(self.parameters)

    def _update(
        self,
        chosen: list[int],
        parameters: list[Tensor],
        gradients: list[Tensor],
        rate: float,
        decay: float,
    ) -> None:
        velocity = [self.velocity[index] for index in chosen]
        sgd(
            parameters,
            gradients,
            velocity,
            weight_decay=decay,
            momentum=self.momentum,
            lr=rate,
            dampening=0.0,
            nesterov=self.nesterov,
            maximize=False,
            fused=self.fused or None,
        )
        for index, buffer in zip(chosen, velocity, strict=True):
            self.velocity[index] = buffer

    def state(self) -> dict[str, Tensor]:
        return {f"velocity.{i}": v for i, v in enumerate(self.velocity) if v is not None}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        for index, parameter in enumerate(self.parameters):
            held = state.get(f"velocity.{index}")
            # in the parameter's layout, which may have its channels last
            self.velocity[index] = (
                None if held is None else torch.empty_like(parameter.detach()).copy_(held)
            )


class Adam(Optimizer):
    """Adam (Kingma and Ba, arXiv 1412.6980), β = (0.9, 0.999), ε = 1e-8, L2 weight decay.

    fused: one pass over each parameter, by PyTorch's fused update.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        weight_decay: float = 0.0,
        fused: bool = False,
        without_decay: Collection[Tensor] = (),
    ) -> None:
        super().__init__(parameters, weight_decay, without_decay)
        self.fused = fused
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]
        self.steps = [torch.zeros((), device=p.device if fused else None) for p in self.parameters]

    def _update(
        self,
        chosen: list[int],
        parameters: list[Tensor],
        gradients: list[Tensor],
        rate: float,
        decay: float,
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
            weight_decay=decay,
            eps=1e-8,
            maximize=False,
            fused=self.fused or None,
        )

    def state(self) -> dict[str, Tensor]:
        lists = {"first": self.first, "second": self.second, "steps": self.steps}
        return {f"{name}.{i}": t for name, held in lists.items() for i, t in enumerate(held)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
