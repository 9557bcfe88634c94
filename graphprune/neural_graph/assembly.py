"""Walks a traced network node by node and puts its neural graph together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import cast

import numpy as np
import torch
from torch import Tensor, fx, nn

from graphprune.errors import UserError
from graphprune.masks import prunable
from graphprune.neural_graph import operations
from graphprune.neural_graph.operations import Branch
from graphprune.neural_graph.settings import (
    Kind,
    batchnorm_scale,
    channel_padding,
    kind_of,
    pooling_settings,
    windows_of,
)
from graphprune.neural_graph.structure import Connection, Floats, Layer, NeuralGraph


@dataclass(frozen=True, eq=False)
class Value:
    """What a node of the traced network holds: a layer, or branches whose layer is still open.

    shape: ``(channels, *map)``, even if the tensor itself is flat.
    flat: whether the tensor is flattened, ``(n, channels * positions)``.
    layer: index of the layer it is; None while it is open.
    branches: the edges that will lead to it; empty once it is a layer.
    origin: the node that computed it; flattening, dropout and softmax pass it on unchanged.
    """

    shape: tuple[int, ...]
    flat: bool = False
    layer: int | None = None
    branches: tuple[Branch, ...] = ()
    origin: fx.Node | None = None

    @property
    def channels(self) -> int:
        return self.shape[0]

    @property
    def positions(self) -> int:
        return prod(self.shape[1:])

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        return (prod(self.shape),) if self.flat else self.shape


class Assembly:
    """The graph of the nodes added so far.

    model: the network, whose parameters give the connections their names.
    module: the traced network; prefix: what its module paths have in front of those of the model.
    fold_batchnorm: see ``tracing.trace``.
    """

    def __init__(
        self, model: nn.Module, module: fx.GraphModule, prefix: str, fold_batchnorm: bool
    ) -> None:
        self.layers: list[Layer] = []
        self.connections: list[Connection] = []
        self.nodes: list[str] = []
        self._module = module
        self._prefix = prefix
        self._fold = fold_batchnorm
        self._values: dict[fx.Node, Value] = {}
        self._names = {id(weight): name for name, weight in prunable(model).items()}
        self._handlers: dict[Kind, Callable[[fx.Node], Value]] = {
            "linear": self._linear,
            "convolution": self._convolution,
            "batchnorm": self._batchnorm,
            "nonlinearity": self._nonlinearity,
            "pooling": self._pooling,
            "mean": self._pooling,
            "same": self._same,
            "softmax": self._softmax,
            "reshape": self._reshape,
            "add": self._add,
            "concatenate": self._concatenate,
            "pad": self._pad,
        }

    # ---- nodes

    def add(self, node: fx.Node) -> None:
        """Take in the next node of the traced network."""
        if node.op == "output":
            self._finish(node)
            return
        if node.op == "placeholder":
            self._input(node)
            return
        if node.meta["several"]:
            raise self._unsupported(node)
        if node.op == "get_attr" or node.meta["shape"] is None:
            return  # sizes, shapes, constants: an operation that needs one as a tensor is refused
        kind = kind_of(node, self._module)
        if kind is None:
            raise self._unsupported(node)
        value = self._handlers[kind](node)
        expected = (value.tensor_shape, node.meta["shape"][1:])
        if expected[0] != expected[1]:
            raise UserError(
                f"{self._where(node)} gives shape {expected[1]}, which does not keep one value for "
                f"each channel and position {value.shape}"
            )
        self._values[node] = value if value.origin else replace(value, origin=node)
        if value.layer is None and _tensor_users(node) > 1:
            self._close(node)

    def graph(self) -> NeuralGraph:
        return NeuralGraph(tuple(self.layers), tuple(self.connections))

    def _input(self, node: fx.Node) -> None:
        if not self.layers:
            shape = node.meta["shape"][1:]
            self._values[node] = self._new_layer(node, Value(shape), "input", "input")
        elif node.users:
            raise UserError(f"model has a second input, {node.name}; only one is supported")

    def _finish(self, node: fx.Node) -> None:
        result = node.args[0]
        shape = result.meta["shape"] if isinstance(result, fx.Node) else None
        wanted = "expected one vector of class scores, (n, classes) with at least 2 classes"
        if shape is None or not isinstance(result, fx.Node):
            raise UserError(f"model returns {result}; {wanted}")
        value = self._values.get(result)
        if value is None or len(shape) != 2 or shape[1] < 2 or value.positions != 1:
            raise UserError(
                f"last layer is not a classifier: its output has shape (n, "
                f"{', '.join(map(str, shape[1:]))}); {wanted}"
            )
        layer = value.layer if value.layer is not None else self._close(result)
        if layer == 0 or any(c.source == layer for c in self.connections):
            raise UserError("last layer is not a classifier: its output feeds back or is the input")
        if layer != len(self.layers) - 1:
            raise UserError("last layer is not a classifier: layers after it reach no output")
        self.layers[layer] = replace(self.layers[layer], role="output")

    # ---- layers

    def _new_layer(self, node: fx.Node, value: Value, name: str, role: str = "hidden") -> Value:
        index = len(self.layers)
        taken = {layer.name for layer in self.layers}
        unique, count = name, 1
        while unique in taken:
            count += 1
            unique = f"{name}:{count}"
        self.layers.append(Layer(unique, value.shape, role))
        self.nodes.append(node.name)
        self.connections.extend(branch.into(index) for branch in value.branches)
        return replace(value, layer=index, branches=())

    def _close(self, node: fx.Node) -> int:
        """Make the value of ``node`` a layer if it is still open; the index of the layer."""
        value = self._values[node]
        if value.layer is None:
            origin = value.origin or node
            value = self._values[node] = self._new_layer(origin, value, self._path(origin))
        return cast(int, value.layer)

    def _argument(self, node: fx.Node, argument: object) -> fx.Node:
        if not isinstance(argument, fx.Node) or argument not in self._values:
            raise UserError(
                f"{self._where(node)} works on {argument}, which is not computed from the input; "
                "only values of the network are supported"
            )
        return argument

    def _first(self, node: fx.Node) -> fx.Node:
        first = node.args[0] if node.args else node.kwargs.get("input")
        return self._argument(node, first)

    def _branches(self, node: fx.Node) -> tuple[Branch, ...]:
        """The edges from this value into a sum: open branches, or identity edges of its layer."""
        value = self._values[node]
        if value.layer is None:
            return value.branches
        return (operations.identity(value.layer, value.channels, value.positions),)

    def _unflat(self, node: fx.Node) -> Value:
        """The value of ``node``; if it is flattened, as a vector of channels without a map."""
        value = self._values[node]
        if not value.flat:
            return value
        if value.positions == 1:
            return replace(value, shape=(value.channels,), flat=False)
        layer = self._close(node)
        branch = operations.flattening(layer, value.channels, value.positions)
        return Value((prod(value.shape),), branches=(branch,))

    # ---- operations with weights

    def _linear(self, node: fx.Node) -> Value:
        module = cast(nn.Linear, self._called(node))
        source = self._first(node)
        value = self._values[source]
        if len(value.tensor_shape) != 1:
            raise UserError(
                f"{self._where(node)} is applied to a map of shape {value.shape}; flatten it first"
            )
        weight, name = self._weight(node, module.weight)
        branch = operations.linear(self._close(source), weight, value.positions, name)
        return Value((module.out_features,), branches=(branch,))

    def _convolution(self, node: fx.Node) -> Value:
        module = cast(nn.Conv2d, self._called(node))
        source = self._first(node)
        value = self._values[source]
        if value.flat or len(value.shape) != 1 + len(module.kernel_size):
            raise UserError(f"{self._where(node)} is applied to a value of shape {value.shape}")
        if module.padding_mode != "zeros":
            raise UserError(
                f"{self._where(node)} has padding_mode {module.padding_mode!r}; allowed: 'zeros'"
            )
        weight, name = self._weight(node, module.weight)
        target = node.meta["shape"][2:]
        pairs = operations.windows(value.shape[1:], target, *windows_of(module))
        branch = operations.convolution(self._close(source), weight, module.groups, pairs, name)
        return Value((module.out_channels, *target), branches=(branch,))

    def _batchnorm(self, node: fx.Node) -> Value:
        module = cast(nn.BatchNorm2d, self._called(node))
        source = self._first(node)
        value = self._unflat(source)
        branches = value.branches if value.layer is None else self._branches(source)
        if self._fold:
            scale = batchnorm_scale(module)
            if not np.isfinite(scale).all():
                raise UserError(f"{self._where(node)} has a scale that is NaN or infinite")
            branches = tuple(branch.scaled(scale) for branch in branches)
        return Value(value.shape, value.flat, branches=branches)

    def _weight(self, node: fx.Node, parameter: Tensor) -> tuple[Floats, str]:
        name = self._names.get(id(parameter))
        if name is None or not isinstance(parameter, nn.Parameter):
            raise UserError(f"weight of {self._where(node)} is no plain parameter of the model")
        if parameter.is_meta:  # the network's form alone is wanted; takes no memory
            return np.broadcast_to(np.float64(1.0), parameter.shape), name
        weight = parameter.detach().cpu().to(torch.float64).numpy()
        if not np.isfinite(weight).all():
            raise UserError(f"{name} contains NaN or infinite weights; expected finite numbers")
        return weight, name

    # ---- operations without weights

    def _nonlinearity(self, node: fx.Node) -> Value:
        source = self._first(node)
        value = self._values[source]
        opened = Value(value.shape, value.flat, branches=self._branches(source))
        return self._new_layer(node, opened, self._path(node))

    def _pooling(self, node: fx.Node) -> Value:
        source = self._first(node)
        value = self._values[source]
        if value.flat or len(value.shape) == 1:
            raise UserError(f"{self._where(node)} is applied to a value of shape {value.shape}")
        target = node.meta["shape"][2:]
        settings = pooling_settings(node, self._module, len(value.shape) - 1)
        if settings is None:
            raise self._unsupported(node)
        pairs, weights = settings.edges(value.shape[1:], target or (1,) * (len(value.shape) - 1))
        branch = operations.pooling(self._close(source), value.channels, pairs, weights)
        shape = (value.channels, *target) if target else (value.channels,)
        return Value(shape, branches=(branch,))

    def _same(self, node: fx.Node) -> Value:
        return self._values[self._first(node)]

    def _softmax(self, node: fx.Node) -> Value:
        if any(user.op != "output" for user in node.users):
            raise UserError(f"{self._where(node)} is supported only as the network's output")
        value = self._values[self._first(node)]
        if len(value.tensor_shape) != 1:
            raise self._unsupported(node)
        return value

    def _reshape(self, node: fx.Node) -> Value:
        source = self._first(node)
        value = self._values[source]
        shape = node.meta["shape"]
        if shape[0] == source.meta["shape"][0]:
            if shape[1:] == value.shape:
                return replace(value, flat=False)
            if shape[1:] == (prod(value.shape),):
                return replace(value, flat=True)
            if value.positions == 1 and set(shape[2:]) <= {1} and shape[1] == value.channels:
                return replace(value, shape=shape[1:], flat=False)
        raise UserError(
            f"{self._where(node)} reshapes {source.meta['shape'][1:]} to {shape[1:]}; supported: "
            "flattening all but the batch dimension, and back"
        )

    def _add(self, node: fx.Node) -> Value:
        operands = list(node.args) + [v for k, v in node.kwargs.items() if k in ("input", "other")]
        if len(operands) != 2 or node.kwargs.get("alpha", 1) != 1:
            raise self._unsupported(node)
        sources = [self._argument(node, operand) for operand in operands]
        if any(s.meta["shape"] != node.meta["shape"] for s in sources):
            raise UserError(f"{self._where(node)} adds values of different shapes")
        terms = self._together(sources)
        branches = tuple(branch for term in terms for branch in term.branches)
        return Value(terms[0].shape, terms[0].flat, branches=branches)

    def _concatenate(self, node: fx.Node) -> Value:
        tensors = node.args[0] if node.args else node.kwargs.get("tensors")
        dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        if dim not in (1, 1 - len(node.meta["shape"])) or not isinstance(tensors, list | tuple):
            raise UserError(f"{self._where(node)} concatenates along {dim}; allowed: channels, 1")
        terms = self._together([self._argument(node, t) for t in tensors], alike=False)
        branches: list[Branch] = []
        channels = 0
        for term in terms:
            branches += [branch.shifted(channels) for branch in term.branches]
            channels += term.channels
        return Value((channels, *terms[0].shape[1:]), branches=tuple(branches))

    def _pad(self, node: fx.Node) -> Value:
        source = self._first(node)
        value = self._unflat(source)
        channels = channel_padding(node, len(value.shape) - 1)
        if channels is None:
            raise UserError(
                f"{self._where(node)}: only channels of zeros may be added by a padding"
            )
        branches = value.branches if value.layer is None else self._branches(source)
        return Value(
            (sum(channels) + value.channels, *value.shape[1:]),
            branches=tuple(branch.shifted(channels[0]) for branch in branches),
        )

    def _together(self, sources: Sequence[fx.Node], alike: bool = True) -> list[Value]:
        """The sources as values with branches, those of a layer being identity edges.

        alike: keep flattened maps if all shapes are equal; otherwise they become vectors.
        """
        for source in sources:
            if sources.count(source) > 1:
                self._close(source)
        shapes = {self._values[s].shape for s in sources}
        if alike and len(shapes) == 1:
            values = [self._values[s] for s in sources]
        else:
            values = [self._unflat(s) for s in sources]
        return [
            value if value.layer is None else replace(value, branches=self._branches(source))
            for value, source in zip(values, sources, strict=True)
        ]

    # ---- names

    def _called(self, node: fx.Node) -> nn.Module:
        return self._module.get_submodule(str(node.target))

    def _path(self, node: fx.Node) -> str:
        """Path of the node's module; for a function, the calling module's path and its name."""
        if node.op == "call_module":
            path = str(node.target)
            if self._prefix:
                path = path.removeprefix(self._prefix).removeprefix(".")
            return path or type(self._called(node)).__name__.lower()
        stack = node.meta.get("nn_module_stack") or {}
        owner = next((entry[0] for entry in reversed(stack.values())), "")
        return f"{owner}.{_function_name(node)}" if owner else _function_name(node)

    def _where(self, node: fx.Node) -> str:
        if node.op == "call_module":
            return f"{self._path(node)} ({type(self._called(node)).__name__})"
        stack = node.meta.get("nn_module_stack") or {}
        owner = next((entry[0] for entry in reversed(stack.values())), "") or "the model's forward"
        return f"{_function_name(node)} in {owner}"

    def _unsupported(self, node: fx.Node) -> UserError:
        return UserError(
            f"operation {self._where(node)} is not supported; see docs/neural-graph.md for "
            "those that are"
        )


def _function_name(node: fx.Node) -> str:
    """Name of the operation without the number that fx adds to tell equal names apart."""
    return node.name.rstrip("0123456789").rstrip("_") if "_" in node.name else node.name


def _tensor_users(node: fx.Node) -> int:
    return sum(user.op == "output" or user.meta.get("shape") is not None for user in node.users)
