"""How often one forward pass uses each weight."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from graphprune.layers.finding import parts, weights

CONVOLUTIONS = (functional.conv1d, functional.conv2d, functional.conv3d)


@contextmanager
def counting(model: nn.Module) -> Iterator[dict[str, int]]:
    """Counts, while the model runs in the ``with`` block, the uses of each of its layers.

    A linear or convolution layer uses its weight once for each position of its output; attention
    uses those of query, key and value once for each position of these inputs, and that of its
    output projection once for each position of the query. What counts is that torch's
    function is called with the weight (``linear``, ``conv1d`` to ``conv3d``,
    ``multi_head_attention_forward``), not that the layer is: attention calls no layer.

    The counts are by the names of `finding.parts`. Inside the block torch's fast path for
    attention is off.

    >>> with counting(model) as uses:
    ...     model(image)
    >>> uses["conv1.weight"]
    784
    """
    mode = _Counting({id(w): parts(name, len(w)) for name, w in weights(model).items()})
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with mode:
            yield mode.counts
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


class _Counting(TorchFunctionMode):
    """Sees every call of a torch function; ``names``: the layers of each weight, by its id."""

    def __init__(self, names: dict[int, tuple[str, ...]]) -> None:
        super().__init__()
        self.names = names
        self.counts = {name: 0 for several in names.values() for name in several}

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        if function is functional.linear or function in CONVOLUTIONS:
            weight = args[1] if len(args) > 1 else kwargs["weight"]
            if id(weight) in self.names:
                self._add(weight, result.numel() // self._channels(function, result))
        elif function is functional.multi_head_attention_forward:
            self._attention(args, kwargs)
        return result

    @staticmethod
    def _channels(function: Any, output: Tensor) -> int:
        """Of ``(*, features)``, or of ``(n, channels, *map)`` or ``(channels, *map)``."""
        if function is functional.linear:
            return output.shape[-1]
        return output.shape[output.dim() - 2 - CONVOLUTIONS.index(function)]

    def _add(self, weight: Tensor | None, *uses: int) -> None:
        for name, number in zip(self.names.get(id(weight), ()), uses, strict=False):
            self.counts[name] += number

    def _attention(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        signature = inspect.signature(functional.multi_head_attention_forward)
        given = signature.bind(*args, **kwargs).arguments
        uses = [given[x].numel() // given[x].shape[-1] for x in ("query", "key", "value")]
        if given.get("use_separate_proj_weight"):
            for letter, number in zip("qkv", uses, strict=True):
                self._add(given[f"{letter}_proj_weight"], number)
        else:
            self._add(given["in_proj_weight"], *uses)
        self._add(given["out_proj_weight"], uses[0])
