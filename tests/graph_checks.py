"""Whether the neural graph computes what its network computes."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from graphprune.neural_graph import NeuralGraph, trace
from graphprune.neural_graph.edges import write_out

torch.set_num_threads(1)  # tiny tensors: more threads only wait for one another


def sums(graph: NeuralGraph, activations: list[np.ndarray], layer: int) -> np.ndarray:
    """Σ weight · source activation over the edges into ``layer``, for each example."""
    edges = write_out(graph)
    everything = np.concatenate(activations, axis=1)
    first = sum(x.size for x in graph.layers[:layer])
    size = graph.layers[layer].size
    into = (edges.target >= first) & (edges.target < first + size)
    out = np.zeros((len(everything), size))
    for example, row in zip(out, everything, strict=True):
        np.add.at(example, edges.target[into] - first, edges.weight[into] * row[edges.source[into]])
    return out


def without_bias(model: nn.Module, seed: int = 0) -> nn.Module:
    """float64, random weights, no offsets: then a layer is its nonlinearity of a weighted sum."""
    generator = torch.Generator().manual_seed(seed)
    model = model.double().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            random = torch.randn(parameter.shape, generator=generator).double()
            parameter.copy_(random * (0 if name.endswith("bias") else 1))
        for name, buffer in model.named_buffers():
            if name.endswith("running_var"):
                buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    return model


def check(model: nn.Module, shape: tuple[int, ...], nonlinear: dict[str, object]) -> NeuralGraph:
    """Each layer equals its nonlinearity (none unless named) of the sum over its edges."""
    model = without_bias(model)
    traced = trace(model, shape, fold_batchnorm=True)
    inputs = torch.randn(2, *shape).double()
    raw = [a.numpy() for a in traced.activations(inputs)]
    assert np.array_equal(raw[0], inputs.flatten(1).numpy())
    expected = model(inputs).detach().flatten(1).numpy()
    np.testing.assert_allclose(raw[-1], expected, atol=1e-12)
    for index, layer in enumerate(traced.graph.layers[1:], start=1):
        total = torch.from_numpy(sums(traced.graph, raw, index))
        function = nonlinear.get(layer.name, lambda z: z)
        np.testing.assert_allclose(raw[index], function(total).numpy(), atol=1e-10)
    unused = set(nonlinear) - {layer.name for layer in traced.graph.layers}
    assert not unused
    return traced.graph
