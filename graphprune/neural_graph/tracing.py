"""From a ``torch.nn.Module`` to its neural graph, by torch.fx.

The rules are stated in ``docs/neural-graph.md``. In short: a layer of vertices is a tensor after
its nonlinearity; what stands between two layers (convolution, batch norm, addition, …) becomes
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

# two examples: a batch of one would let a squeeze or a view swallow the batch dimension unseen
EXAMPLES = 2


@dataclass(frozen=True, eq=False)
class Traced:
    """A network with its neural graph.

    graph: plain numpy, all that the numerical core needs.
    module: the traced network; it shares its parameters with the model.
    nodes: for each layer of ``graph`` the name of the node of ``module.graph`` that computes it.
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

        Returns
        -------
        One tensor ``(n, layer.size)`` a layer, in the model's dtype, on the CPU.
        """
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
                _Recorder(self.module, self.nodes).record(batch)
                for batch in inputs.split(batch_size)
            ]
        return [torch.cat(parts) for parts in zip(*batches, strict=True)]


class _Recorder(fx.Interpreter):
    """Keeps a copy of the wanted nodes' values; a copy, as a later operation may work in place."""

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
    """Notes in ``node.meta["shape"]`` each tensor's shape, None for what is not a tensor."""

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        n.meta["shape"] = tuple(value.shape) if isinstance(value, Tensor) else None
        n.meta["several"] = isinstance(value, tuple | list) and any(
            isinstance(part, Tensor) for part in value
        )
        return value


def trace(model: nn.Module, input_shape: Sequence[int], *, fold_batchnorm: bool = False) -> Traced:
    """The neural graph of a feed-forward network.

    Parameters
    ----------
    model : built from supported layers (``docs/neural-graph.md``); left as it was.
    input_shape : shape of one example, such as ``(channels, height, width)``.
    fold_batchnorm : multiply the weights that feed a batch norm by its scale
        γ / sqrt(variance + ε), so that arc lengths see it; otherwise it leaves lengths alone.

    Raises
    ------
    UserError : an operation that is not supported (named, with its module's path), an output that
        is no vector of class scores, a weight that is not finite, a forward pass that depends on
        the values it sees.

    >>> trace(build("mlp", (1, 8, 8), 10), (1, 8, 8)).graph.edges
    17024
    """
    shape = tuple(int(n) for n in input_shape)
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
    """The traced module and the prefix its module paths carry beyond the model's own."""
    tracer = fx.Tracer()
    prefix = ""
    root = model
    if tracer.is_leaf_module(model, ""):  # a bare nn.Linear: fx would look inside it
        root, prefix = nn.Sequential(model), "0"
    try:
        graph = tracer.trace(root)
    except Exception as error:  # whatever the model's own forward raises on symbolic values
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
    """Evaluation mode inside the block, each module's own mode again after it."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
