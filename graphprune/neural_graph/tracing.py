"""From a ``torch.nn.Module`` to its neural graph, by torch.fx.

The rules are stated in ``docs/neural-graph.md``. In short: a layer of vertices is a tensor after
its nonlinearity; the operations between two layers (convolution, batch norm, addition, …) become
the connections between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from graphprune.errors import UserError
from graphprune.neural_graph.assembly import Assembly
from graphprune.neural_graph.structure import NeuralGraph

# With two examples a squeeze or a view that removes the batch dimension is noticed.
EXAMPLES = 2


@dataclass(frozen=True, eq=False)
class Traced:
    """A network with its neural graph.

    graph: the neural graph, plain numpy.
    module: the traced network; it shares its parameters with the model.
    nodes: for each layer of ``graph``, the name of the node of ``module.graph`` that computes it.
    """

    graph: NeuralGraph
    module: fx.GraphModule
    nodes: tuple[str, ...]

    @torch.no_grad()
    def activations(self, inputs: Tensor, batch_size: int = 128) -> list[Tensor]:
        """Every layer's values after its nonlinearity, not scaled; for the output the logits.

        Parameters
        ----------
        inputs : ``(n, *input shape)``.
        batch_size : how many examples go through the network together.

        Returns
        -------
        One tensor ``(n, layer.size)`` a layer, in the model's dtype, on the CPU.

        Raises
        ------
        UserError : inputs of another shape, or none.
        """
        return self.recorded(self.nodes, inputs, batch_size)

    @torch.no_grad()
    def recorded(self, nodes: Sequence[str], inputs: Tensor, batch_size: int = 128) -> list[Tensor]:
        """The values of ``nodes`` of ``module.graph``, as `activations` returns those of layers."""
        shape = self.graph.layers[0].shape
        if inputs.ndim != len(shape) + 1 or tuple(inputs.shape[1:]) != shape:
            expected = ", ".join(map(str, shape))
            raise UserError(f"inputs have shape {tuple(inputs.shape)}; expected (n, {expected})")
        if len(inputs) == 0:
            raise UserError("inputs are empty; at least one example is needed")
        like = _reference(self.module)
        inputs = inputs.to(device=like.device, dtype=like.dtype)
        with evaluating(self.module):
            batches = [
                _Recorder(self.module, nodes).record(batch) for batch in inputs.split(batch_size)
            ]
        return [torch.cat(of_layer) for of_layer in zip(*batches, strict=True)]


class _Recorder(fx.Interpreter):
    """Keeps the values of the wanted nodes: as copies, since later operations may work in place."""

    def __init__(self, module: fx.GraphModule, nodes: Sequence[str]) -> None:
        super().__init__(module)
        self.wanted = tuple(nodes)
        self.kept: dict[str, Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if n.name in self.wanted:
            self.kept[n.name] = value.detach().flatten(1).cpu().clone()
        return value

    def record(self, inputs: Tensor) -> list[Tensor]:
        self.run(inputs)
        return [self.kept[name] for name in self.wanted]


class _Shapes(fx.Interpreter):
    """Writes each value's shape into ``node.meta["shape"]``, None if it is no tensor.

    ``node.meta["several"]`` tells whether the value is a tuple or list with tensors.
    """

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        n.meta["shape"] = tuple(value.shape) if isinstance(value, Tensor) else None
        n.meta["several"] = isinstance(value, tuple | list) and any(
            isinstance(item, Tensor) for item in value
        )
        return value


def trace(model: nn.Module, input_shape: Sequence[int], *, fold_batchnorm: bool = False) -> Traced:
    """The neural graph of a feed-forward network.

    Parameters
    ----------
    model : built from supported layers (``docs/neural-graph.md``); left as it was.
    input_shape : shape of one example, such as ``(channels, height, width)``.
    fold_batchnorm : multiply the weights before a batch norm by its scale γ / sqrt(variance + ε),
        so that it changes edge lengths; otherwise it does not.

    Raises
    ------
    UserError : an operation that is not supported (named, with its module's path), an output that
        is no vector of class scores, a weight that is not finite, a forward pass that depends on
        the values it sees.

    >>> trace(build("mlp", (1, 8, 8), 10), (1, 8, 8)).graph.edges
    17024
    """
    shape = tuple(int(n) for n in input_shape)
    for path, module in model.named_modules():
        # before fx meets what lies around it, such as an encoder or a reshape to tokens
        if isinstance(module, nn.MultiheadAttention):
            raise UserError(
                f"operation {path or 'model'} (MultiheadAttention) is not supported; see "
                "docs/neural-graph.md for those that are"
            )
    with evaluating(model), torch.no_grad():
        module, prefix = _symbolic(model)
        like = _reference(model)
        example = torch.zeros((EXAMPLES, *shape), device=like.device, dtype=like.dtype)
        try:
            _Shapes(module).run(example)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            line = str(error).strip().splitlines()[0]
            raise UserError(f"model does not run on inputs of shape {shape}: {line}") from None
        assembly = Assembly(model, module, prefix, fold_batchnorm)
        for node in module.graph.nodes:
            assembly.add(node)
    return Traced(assembly.graph(), module, tuple(assembly.nodes))


def _symbolic(model: nn.Module) -> tuple[fx.GraphModule, str]:
    """The traced module, and the prefix of its module paths that those of the model do not have."""
    tracer = fx.Tracer()
    prefix = ""
    root = model
    if tracer.is_leaf_module(model, ""):  # such as a single nn.Linear, into which fx would look
        root, prefix = nn.Sequential(model), "0"
    try:
        graph = tracer.trace(root)
    except Exception as error:  # anything that the model's forward raises on symbolic values
        line = str(error).strip().splitlines()[0]
        raise UserError(f"model cannot be traced by torch.fx: {line}") from None
    module = fx.GraphModule(root, graph)
    module.graph.eliminate_dead_code()
    module.recompile()
    return module, prefix


def _reference(model: nn.Module) -> Tensor:
    """A tensor of the model's device and dtype."""
    return next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside the ``with`` block; afterwards every module has its former mode."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
