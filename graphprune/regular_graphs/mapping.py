"""From a regular graph to the masks of linear and convolution layers."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from graphprune.errors import UserError
from graphprune.layers.finding import parts
from graphprune.masks import Masks, prunable
from graphprune.regular_graphs.bounds import degrees
from graphprune.regular_graphs.measures import Adjacency, degree_of

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LayerPlan:
    """What becomes of one layer.

    parameter: its weight's name in ``model.state_dict()``.
    shape: the weight's shape, ``(out, in / groups, *kernel)``.
    groups: convolution groups, each of which is mapped to the graph; 1 for a linear layer, 3 for
        an attention's joint weight of query, key and value.
    nodes: nodes of the graph the layer is mapped to, 0 where the layer stays dense.
    degree: degree of that graph; ``degree == nodes`` means every block stays.
    """

    parameter: str
    shape: tuple[int, ...]
    groups: int
    nodes: int
    degree: int = 0

    @property
    def widths(self) -> tuple[int, int]:
        """Output and input channels of one convolution group."""
        return self.shape[0] // self.groups, self.shape[1]

    @property
    def size(self) -> int:
        return prod(self.shape)


def node_of_channel(channels: int, nodes: int, seed: int = 0) -> Ints:
    """The node each of ``channels`` channels belongs to, int64 ``(channels,)``, ascending.

    Consecutive channels, ⌊channels/nodes⌋ or one more a node; which nodes get one more is drawn
    by a permutation that depends on (channels, nodes, seed) alone. Tensors of equal width are
    therefore divided alike wherever they occur, as branches that are added must be. If n divides a
    finer number of nodes, and that divides the channels, each group for n is a union of finer ones.

    >>> node_of_channel(6, 3)
    array([0, 0, 1, 1, 2, 2])
    """
    if not 1 <= nodes <= channels:
        raise UserError(f"nodes is {nodes} for {channels} channels; allowed: 1 to {channels}")
    sizes = np.full(nodes, channels // nodes)
    order = np.random.default_rng([seed, channels, nodes]).permutation(nodes)
    sizes[order[: channels % nodes]] += 1
    return np.repeat(np.arange(nodes), sizes)


def block_mask(
    adjacency: Adjacency, shape: tuple[int, ...], groups: int = 1, seed: int = 0
) -> torch.Tensor:
    """The mask of a weight: block (output node i, input node j) stays iff ``adjacency[i, j]``.

    adjacency : boolean ``(n, n)``, used as directed from j to i, so that the layer's two widths
        may differ. shape : the weight's, ``(out, in / groups, *kernel)``; whole kernels stay or go.
    groups : of the convolution; every group is mapped to the same graph, n at most the smaller
        width of a group.

    Returns a boolean tensor of ``shape``.
    """
    nodes = len(adjacency)
    out, inputs = shape[0] // groups, shape[1]
    rows, columns = node_of_channel(out, nodes, seed), node_of_channel(inputs, nodes, seed)
    blocks = torch.from_numpy(np.asarray(adjacency)[rows][:, columns]).repeat(groups, 1)
    return blocks.reshape(shape[0], shape[1], *[1] * (len(shape) - 2)).expand(shape).clone()


def plan(
    model: nn.Module,
    sparsity: float,
    nodes: int = 64,
    dense_first: bool = True,
    dense_last: bool | None = None,
) -> list[LayerPlan]:
    """Nodes and degree for every prunable layer so that the density comes nearest 1 − sparsity.

    A layer takes as many nodes as the smaller of its two widths (of one convolution group) allows,
    at most ``nodes``; a layer of which a width is 1 stays dense (depthwise convolutions). All
    layers share one density as nearly as their degrees allow: for every density d that some degree
    has, each layer takes the degree nearest d·n, and the d whose overall density is nearest the
    wanted one wins (of equals the denser).

    dense_first, dense_last : leave the first convolution, the last linear layer as they are, in
        the order the model defines them. ``dense_last=None`` does so unless the wanted sparsity
        then cannot be reached.

    Raises UserError for nodes below 2, a sparsity outside [0, 1), no layer that can be mapped.
    """
    if dense_last is None:
        layers = _layers(model, nodes, dense_first, True)
        sparsest = _with_density(layers, 0.0)
        reachable = density_of(sparsest) <= 1.0 - sparsity
        return plan(model, sparsity, nodes, dense_first, reachable)
    if nodes < 2:
        raise UserError(f"nodes is {nodes}; allowed: nodes >= 2")
    if not 0.0 <= sparsity < 1.0:
        raise UserError(f"sparsity is {sparsity}; allowed for rgp: 0 <= sparsity < 1")
    layers = _layers(model, nodes, dense_first, dense_last)
    mapped = {layer.nodes for layer in layers if layer.nodes}
    if not mapped:
        raise UserError(
            "rgp leaves every layer of this model dense (first convolution, last linear layer, "
            "layers with one channel); set dense_first or dense_last to False"
        )
    choices = sorted({k / n for n in mapped for k in (*degrees(n), n)}, reverse=True)
    options = [_with_density(layers, density) for density in choices]
    return min(options, key=lambda option: abs(density_of(option) - (1.0 - sparsity)))


def graph_masks(
    model: nn.Module,
    adjacency: Adjacency,
    seed: int = 0,
    dense_first: bool = True,
    dense_last: bool = True,
) -> Masks:
    """Masks that map one given graph to every layer at least as wide as it has nodes.

    Layers of which a width (of one convolution group) is smaller stay dense. So do the first
    convolution and the last linear layer, unless the arguments say otherwise. This is for
    experiments that compare graphs; the method ``rgp`` chooses graphs by density instead.

    Returns a mask for every prunable weight.
    """
    degree_of(adjacency)
    masks: Masks = {}
    for layer in _layers(model, len(adjacency), dense_first, dense_last):
        if layer.nodes == len(adjacency):
            masks[layer.parameter] = block_mask(adjacency, layer.shape, layer.groups, seed)
        else:
            masks[layer.parameter] = torch.ones(layer.shape, dtype=torch.bool)
    return masks


def density_of(layers: list[LayerPlan]) -> float:
    """Share of all the layers' weights that the graphs' degrees keep, groups taken as equal."""
    kept = sum(_layer_density(layer) * layer.size for layer in layers)
    return kept / sum(layer.size for layer in layers)


def _layer_density(layer: LayerPlan) -> float:
    return layer.degree / layer.nodes if layer.nodes else 1.0


def _layers(model: nn.Module, nodes: int, dense_first: bool, dense_last: bool) -> list[LayerPlan]:
    weights = prunable(model)
    convolutions = {
        f"{path}.weight" if path else "weight": module.groups
        for path, module in model.named_modules(remove_duplicate=False)
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    }
    first = [name for name in weights if name in convolutions][:1]
    last = [name for name in weights if name not in convolutions][-1:]
    dense = {*(first if dense_first else []), *(last if dense_last else [])}
    plans = []
    for name, weight in weights.items():
        shape = tuple(weight.shape)
        groups = convolutions.get(name, len(parts(name, shape[0])))
        count = min(nodes, shape[0] // groups, shape[1])
        plans.append(LayerPlan(name, shape, groups, 0 if name in dense or count < 2 else count))
    return plans


def _with_density(layers: list[LayerPlan], density: float) -> list[LayerPlan]:
    return [
        LayerPlan(p.parameter, p.shape, p.groups, p.nodes, _nearest(p.nodes, density))
        for p in layers
    ]


def _nearest(nodes: int, density: float) -> int:
    """The degree nearest ``density * nodes``, of equals the larger; ``nodes`` keeps everything."""
    if nodes == 0:
        return 0
    return min((nodes, *reversed(degrees(nodes))), key=lambda k: abs(k - density * nodes))
