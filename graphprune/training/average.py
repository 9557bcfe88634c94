"""An exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn


class Average:
    """a ← decay·a + (1 − decay)·w after every step; after the first step a is w.

    Averaged are the parameters and the buffers that are numbers, such as the running statistics of
    batch norm; counters are as the network has them. Where masks hold in the network they hold in
    the average: an average of zeros is 0. As `torch.optim.swa_utils.AveragedModel` does it with
    ``use_buffers``, whose import takes 3 s.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model, self.decay = model, decay
        self.tensors: dict[str, Tensor] = {}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the network's weights."""
        current = self._current()
        if not self.tensors:
            self.tensors = {name: tensor.clone() for name, tensor in current.items()}
        else:
            averages = [self.tensors[name] for name in current]
            torch._foreach_lerp_(averages, list(current.values()), 1 - self.decay)

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take up ``tensors`` of an earlier average of this network; none before the first step."""
        current = self._current()
        self.tensors = {n: torch.empty_like(current[n]).copy_(t) for n, t in tensors.items()}

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The network has the averages inside the block, and its own weights after it."""
        own = {name: tensor.clone() for name, tensor in self._current().items()}
        self.keep()
        try:
            yield
        finally:
            self._put(own)

    def keep(self) -> None:
        """The network has the averages from now on; its own weights are lost."""
        self._put(self.tensors)

    def _current(self) -> dict[str, Tensor]:
        return {n: t for n, t in self.model.state_dict().items() if t.is_floating_point()}

    @torch.no_grad()
    def _put(self, tensors: Mapping[str, Tensor]) -> None:
        current = self._current()
        for name, tensor in tensors.items():
            current[name].copy_(tensor)
