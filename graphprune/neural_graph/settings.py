"""Which operation a node of a traced network is, and with which settings."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional

from graphprune.errors import UserError
from graphprune.neural_graph import operations
from graphprune.neural_graph.structure import Floats, Ints

Kind = Literal[
    "linear",
    "convolution",
    "batchnorm",
    "nonlinearity",
    "pooling",
    "mean",
    "same",
    "softmax",
    "reshape",
    "add",
    "concatenate",
    "pad",
]

_MODULES: dict[Kind, tuple[type[nn.Module], ...]] = {
    "linear": (nn.Linear,),
    "convolution": (nn.Conv1d, nn.Conv2d, nn.Conv3d),
    "batchnorm": (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d),
    "nonlinearity": (
        nn.ReLU,
        nn.LeakyReLU,
        nn.GELU,
        nn.Tanh,
        nn.Sigmoid,
        nn.ReLU6,
        nn.SiLU,
        nn.ELU,
        nn.SELU,
        nn.CELU,
        nn.Mish,
        nn.Hardswish,
        nn.Hardsigmoid,
        nn.Hardtanh,
        nn.Softplus,
        nn.PReLU,
    ),
    "pooling": (
        nn.MaxPool1d,
        nn.MaxPool2d,
        nn.MaxPool3d,
        nn.AvgPool1d,
        nn.AvgPool2d,
        nn.AvgPool3d,
        nn.AdaptiveAvgPool1d,
        nn.AdaptiveAvgPool2d,
        nn.AdaptiveAvgPool3d,
        nn.AdaptiveMaxPool1d,
        nn.AdaptiveMaxPool2d,
        nn.AdaptiveMaxPool3d,
    ),
    "same": (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout),
    "softmax": (nn.Softmax, nn.LogSoftmax),
    "reshape": (nn.Flatten, nn.Unflatten),
}

_MAX = ["input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices"]
_AVG = [
    "input",
    "kernel_size",
    "stride",
    "padding",
    "ceil_mode",
    "count_include_pad",
    "divisor_override",
]
_ADAPTIVE = ["input", "output_size", "return_indices"]

# function -> (which pooling it is, the names of its arguments in order)
_POOLING: dict[Any, tuple[str, list[str]]] = {
    getattr(space, f"{prefix}{dimensions}d"): described
    for space in (functional, torch)
    for prefix, described in (
        ("max_pool", ("max", _MAX)),
        ("avg_pool", ("average", _AVG)),
        ("adaptive_avg_pool", ("adaptive average", _ADAPTIVE)),
        ("adaptive_max_pool", ("adaptive max", _ADAPTIVE)),
    )
    for dimensions in (1, 2, 3)
    if hasattr(space, f"{prefix}{dimensions}d")
}

_NONLINEAR_NAMES = [
    name + suffix
    for name in (
        *("relu", "leaky_relu", "gelu", "tanh", "sigmoid", "relu6", "silu", "elu", "selu", "celu"),
        *("mish", "hardswish", "hardsigmoid", "hardtanh", "softplus"),
    )
    for suffix in ("", "_")
]
_SAME_NAMES = ["dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"]
_FUNCTIONS: dict[Any, Kind] = {
    **dict.fromkeys(_POOLING, "pooling"),
    **{
        getattr(space, name): "nonlinearity"
        for space in (functional, torch)
        for name in _NONLINEAR_NAMES
        if hasattr(space, name)
    },
    **{getattr(functional, name): "same" for name in _SAME_NAMES if hasattr(functional, name)},
    torch.dropout: "same",
    torch.clone: "same",
    functional.softmax: "softmax",
    functional.log_softmax: "softmax",
    torch.softmax: "softmax",
    torch.log_softmax: "softmax",
    torch.flatten: "reshape",
    torch.reshape: "reshape",
    torch.squeeze: "reshape",
    torch.unsqueeze: "reshape",
    torch.mean: "mean",
    operator.add: "add",
    operator.iadd: "add",
    torch.add: "add",
    torch.cat: "concatenate",
    torch.concat: "concatenate",
    torch.concatenate: "concatenate",
    functional.pad: "pad",
}
_METHODS: dict[str, Kind] = {
    **dict.fromkeys(["relu", "relu_", "tanh", "tanh_", "sigmoid", "sigmoid_"], "nonlinearity"),
    **dict.fromkeys(["contiguous", "clone"], "same"),
    **dict.fromkeys(["softmax", "log_softmax"], "softmax"),
    **dict.fromkeys(["view", "reshape", "flatten", "squeeze", "unsqueeze", "unflatten"], "reshape"),
    **dict.fromkeys(["add", "add_", "__add__", "__radd__", "__iadd__"], "add"),
    "mean": "mean",
}


def kind_of(node: fx.Node, module: fx.GraphModule) -> Kind | None:
    """The kind of operation of ``node``; None if it is not supported."""
    if node.op == "call_module":
        called = module.get_submodule(str(node.target))
        # not isinstance: a subclass may compute something else
        return next((kind for kind, types in _MODULES.items() if type(called) in types), None)
    if node.op == "call_method":
        return _METHODS.get(str(node.target))
    return _FUNCTIONS.get(node.target)


_TANH = (torch.tanh, functional.tanh, "tanh", "tanh_", getattr(torch, "tanh_", None))


def is_tanh(node: fx.Node, module: fx.GraphModule) -> bool:
    """Whether ``node`` is a hyperbolic tangent."""
    if node.op == "call_module":
        return type(module.get_submodule(str(node.target))) is nn.Tanh
    return node.op in ("call_function", "call_method") and node.target in _TANH


def windows_of(
    module: nn.Conv1d | nn.Conv2d | nn.Conv3d,
) -> tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]]:
    """Kernel, stride, left padding and dilation of a convolution, one entry a dimension."""
    kernel, dilation = module.kernel_size, module.dilation
    padding: Sequence[int]
    if module.padding == "same":  # torch pads the odd position on the right
        padding = [d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True)]
    elif module.padding == "valid":
        padding = [0] * len(kernel)
    else:
        padding = cast(tuple[int, ...], module.padding)
    return kernel, module.stride, padding, dilation


@dataclass(frozen=True)
class Pooling:
    """Settings of a pooling; the sequences have one entry for each spatial dimension.

    which: "max", "average", "adaptive max" or "adaptive average".
    count_padding, divisor: as in ``operations.average_weights``.
    """

    which: str
    kernel: Sequence[int] = ()
    stride: Sequence[int] = ()
    padding: Sequence[int] = ()
    dilation: Sequence[int] = ()
    count_padding: bool = True
    divisor: int | None = None

    def edges(self, source: Sequence[int], target: Sequence[int]) -> tuple[Ints, Floats | None]:
        """Rows (source position, target position); for average pooling the weight of each row."""
        if self.which.startswith("adaptive"):
            pairs, weights = operations.adaptive_windows(source, target)
            return pairs, weights if self.which == "adaptive average" else None
        window = (self.kernel, self.stride, self.padding)
        pairs = operations.windows(source, target, *window, self.dilation)[:, :2]
        if self.which == "max":
            return pairs, None
        return pairs, operations.average_weights(
            pairs, source, target, *window, self.count_padding, self.divisor
        )


def pooling_settings(node: fx.Node, module: fx.GraphModule, dimensions: int) -> Pooling | None:
    """Settings of a pooling node over so many spatial dimensions; None if it is not supported."""
    if node.op == "call_module":
        called = module.get_submodule(str(node.target))
        name = type(called).__name__
        which = ("adaptive " if "Adaptive" in name else "") + (
            "max" if "Max" in name else "average"
        )
        settings = dict(vars(called))
    elif kind_of(node, module) == "mean":
        return _mean(node, dimensions)
    else:
        which, names = _POOLING[node.target]
        settings = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    if settings.get("return_indices"):
        return None
    if which.startswith("adaptive"):
        return Pooling(which)

    def each(key: str, default: object) -> list[int]:
        value = settings.get(key)
        value = default if value is None or value == () else value
        return list(value) if isinstance(value, list | tuple) else [cast(int, value)] * dimensions

    kernel = each("kernel_size", None)
    return Pooling(
        which,
        kernel,
        each("stride", kernel),
        each("padding", 0),
        each("dilation", 1),
        bool(settings.get("count_include_pad", True)),
        settings.get("divisor_override"),
    )


def _mean(node: fx.Node, dimensions: int) -> Pooling | None:
    """A mean over all positions of the map, as global average pooling; None for any other mean."""
    dims = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    if not isinstance(dims, list | tuple | int):
        return None
    listed = [dims] if isinstance(dims, int) else list(dims)
    count = dimensions + 2
    spatial = sorted(cast(int, d) % count for d in listed)
    return Pooling("adaptive average") if spatial == list(range(2, count)) else None


def channel_padding(node: fx.Node, dimensions: int) -> tuple[int, int] | None:
    """Numbers of channels of zeros that ``pad`` adds before and after; None for other paddings."""
    names = ["input", "pad", "mode", "value"]
    settings = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    pad = settings.get("pad")
    if settings.get("mode", "constant") != "constant" or settings.get("value") not in (None, 0):
        return None
    if not isinstance(pad, list | tuple) or not all(isinstance(n, int) for n in pad):
        return None
    around, channels = pad[: 2 * dimensions], pad[2 * dimensions :]
    if any(cast(int, n) for n in around) or len(channels) != 2 or min(channels) < 0:
        return None
    return cast(tuple[int, int], tuple(channels))


def batchnorm_scale(module: nn.BatchNorm2d) -> Floats:
    """Scale of a batch norm in evaluation mode, γ / sqrt(variance + ε): float64 ``(channels,)``."""
    variance = module.running_var
    if variance is None:
        raise UserError("a batch norm without running statistics cannot be folded")
    deviation = np.sqrt(variance.detach().cpu().to(torch.float64).numpy() + module.eps)
    gamma = module.weight.detach().cpu().to(torch.float64).numpy() if module.affine else 1.0
    return np.asarray(gamma / deviation)
