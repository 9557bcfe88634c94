"""Stopwatch and file size of a module."""

from __future__ import annotations

from statistics import median
from time import perf_counter

import torch
from torch import Tensor, nn

from graphprune.defaults import REPEATS
from graphprune.errors import UserError


def timings(
    models: list[nn.Module], inputs: Tensor, repeats: int = REPEATS, warmup: int = 3
) -> list[list[float]]:
    """Seconds of ``repeats`` forward passes of each of several modules, timed in turn.

    Taking turns makes their ratios robust to whatever else the machine does. Modules are timed in
    the mode they are in, without gradients; on a GPU every pass is waited for.
    """
    if repeats < 1 or warmup < 0:
        raise UserError(f"repeats={repeats}, warmup={warmup}; allowed: repeats >= 1, warmup >= 0")
    times: list[list[float]] = [[] for _ in models]
    with torch.inference_mode():
        for turn in range(warmup + repeats):
            for model, seconds in zip(models, times, strict=True):
                start = perf_counter()
                model(inputs)
                if inputs.is_cuda:
                    torch.cuda.synchronize(inputs.device)
                if turn >= warmup:
                    seconds.append(perf_counter() - start)
    return times


def latencies(
    models: list[nn.Module], inputs: Tensor, repeats: int = REPEATS, warmup: int = 3
) -> list[float]:
    """Median seconds of one forward pass for each of several modules, timed in turn."""
    return [median(seconds) for seconds in timings(models, inputs, repeats, warmup)]


def latency(model: nn.Module, inputs: Tensor, repeats: int = REPEATS, warmup: int = 3) -> float:
    """Median seconds of ``repeats`` forward passes on ``inputs`` after ``warmup`` untimed ones.

    >>> latency(model.eval(), torch.zeros(1, 1, 28, 28))
    0.00021
    """
    return latencies([model], inputs, repeats, warmup)[0]


def state_bytes(model: nn.Module) -> int:
    """Bytes of all tensors in the module's state."""
    return sum(t.numel() * t.element_size() for t in model.state_dict().values())


def file_size(model: nn.Module) -> int:
    """Bytes of the module's state in a safetensors file."""
    from safetensors.torch import save

    state = {name: t.detach().contiguous().clone() for name, t in model.state_dict().items()}
    return len(save(state))
