"""The value a_v of every vertex for one example: scaled activations."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from graphprune.errors import UserError
from graphprune.neural_graph.settings import is_tanh
from graphprune.neural_graph.structure import Floats
from graphprune.neural_graph.tracing import Traced


def values(traced: Traced, inputs: Tensor, batch_size: int = 128) -> list[Floats]:
    """Vertex values: a_v = (|z_v| − min) / (max − min) over v's layer, for each example alone.

    z is the activation after the nonlinearity; for the input the pixel as the network sees it, for
    the output the softmax probability. The minimum and maximum are taken over all channels and
    positions. Where they are equal (a dead layer, a constant image, a layer of one vertex), all
    values are 0.

    Parameters
    ----------
    traced : from ``trace``.
    inputs : ``(n, *input shape)``.
    batch_size : how many examples go through the network together.

    Returns
    -------
    One float64 array ``(n, layer.size)`` in [0, 1] for each layer of ``traced.graph``.

    Raises
    ------
    UserError : inputs of another shape; an activation that is NaN or infinite (the message names
        layer and example).

    Paper: arXiv 2601.16366.

    >>> layers = values(trace(model, (1, 28, 28)), inputs)
    """
    scaled = []
    for layer, raw in zip(traced.graph.layers, traced.activations(inputs, batch_size), strict=True):
        z = raw.to(torch.float64)
        if layer.role == "output":
            z = torch.softmax(z, dim=1)
        scaled.append(scale(z.numpy(), layer.name))
    return scaled


def tanh_factors(traced: Traced, inputs: Tensor, batch_size: int = 128) -> list[Floats]:
    """How far tanh lowers every vertex: tanh(z) / z, z being its value before the nonlinearity.

    1 for z = 0, and for a hidden layer of another nonlinearity. For a vertex of the input z is the
    pixel as the network sees it, for one of the output the logit. The official code of neural
    curvature divides an edge's length by the lesser factor of its ends. (It has 0 for z = 0, by
    which it then divides; here it is the limit.)

    Returns one float64 array ``(n, layer.size)`` in (0, 1] for each layer of ``traced.graph``.

    >>> factors = tanh_factors(trace(model, (1, 28, 28)), inputs)
    """
    nodes = {node.name: node for node in traced.module.graph.nodes}
    tanh = [is_tanh(nodes[name], traced.module) for name in traced.nodes]
    before = [
        nodes[name].all_input_nodes[0].name if of_tanh else name
        for name, of_tanh in zip(traced.nodes, tanh, strict=True)
    ]
    recorded = traced.recorded(before, inputs, batch_size)
    factors: list[Floats] = []
    for layer, of_tanh, raw in zip(traced.graph.layers, tanh, recorded, strict=True):
        z = raw.to(torch.float64).numpy()
        factor = np.ones_like(z)
        if of_tanh or layer.role != "hidden":
            np.divide(np.tanh(z), z, out=factor, where=z != 0)
        factors.append(factor)
    return factors


def scale(activations: Floats, name: str) -> Floats:
    """|activations| min–max scaled to [0, 1] row by row, ``(n, size)``; constant rows become 0."""
    magnitude = np.abs(activations)
    broken = ~np.isfinite(magnitude).all(axis=1)
    if broken.any():
        raise UserError(
            f"activations of layer {name} are NaN or infinite for example {int(broken.argmax())}; "
            "expected finite numbers"
        )
    low = magnitude.min(axis=1, keepdims=True)
    spread = magnitude.max(axis=1, keepdims=True) - low
    return np.where(spread > 0, (magnitude - low) / np.where(spread > 0, spread, 1.0), 0.0)
