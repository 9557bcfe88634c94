"""``graphprune.compact``: a pruned network as a smaller, faster one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from graphprune.compaction.blocks import BlockConv, BlockLinear
from graphprune.compaction.measure import state_bytes, timings
from graphprune.compaction.sparse import SparseConv2d, SparseLinear
from graphprune.compaction.structure import Blocks, blocks_of, channel_support
from graphprune.errors import UserError, one_of
from graphprune.layers.finding import LAYERS, read_directly
from graphprune.masks import apply, check

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LAYOUTS = ("auto", "smallest", "dense", "block", "sparse")
# Break-even points that benchmarks/compact.py measured, rounded to the safe side; with `example`,
# `compact` measures instead. Blocks are faster in grouped convolutions of some height and in very
# large linear layers. The sparse loop is faster below a density. Small layers stay dense.
BLOCK_DENSITY, BLOCK_HEIGHT, SPARSE_DENSITY = 0.25, 8, 0.125
SMALLEST_LAYER, LARGE_LINEAR = 2**15, 2**22


def compact(
    model: nn.Module,
    masks: Mapping[str, Tensor],
    example: Tensor | None = None,
    layout: str = "auto",
) -> nn.Module:
    """A module for inference that computes the masked ``model``'s outputs from the kept weights.

    Layouts of a layer:

    - "dense": the layer with its masked weights.
    - "block": output channels that read the same inputs form a group; every group's inputs are
      gathered and multiplied by its small dense block (batched product, grouped convolution).
      Channels that read nothing cost nothing. It suits RGP masks and removed channels.
    - "sparse": every output sums only its kept weights, in a compiled loop (linear and
      two-dimensional convolution layers, CPU). It takes any mask and pays at high sparsity.

    Parameters
    ----------
    model : in evaluation or training mode; left as it was.
    masks : boolean, by parameter name; layers without a mask stay as they are, and attention and
        the linear layers of torch's encoder layer stay dense: their weights are read directly.
    example : inputs ``(batch, ...)``; with them "auto" times every layout of every layer on the
        layer's own inputs and keeps the fastest, and a layer that the model never calls stays
        dense. Without inputs, break-even densities decide, which were measured on layers of usual
        size; a module of yours must then call its layers and not read their weights.
    layout : "auto"; "smallest", for every layer the layout whose state takes the fewest bytes
        (decided without a stopwatch); or one layout for every masked layer that has it (others
        stay dense).

    Returns
    -------
    A copy in evaluation mode whose parameters take no gradient; outputs agree with the masked
    model's to rounding.

    Raises
    ------
    UserError : an unknown layout, a mask that fits no parameter.

    >>> small = compact(model, masks, example=images[:1])
    >>> torch.allclose(small(images), masked(images), atol=1e-5)
    True
    """
    if layout not in LAYOUTS:
        raise one_of("layout", layout, LAYOUTS)
    check(model, masks)
    result = copy.deepcopy(model)
    apply(result, masks)
    result.eval().requires_grad_(False)
    layers = _masked_layers(result, masks)
    captured: dict[str, Tensor] = {}
    if example is not None:
        captured = _inputs_of(result, layers, example)
        # a layer that is not called may be one whose weight another module reads
        layers = {path: layers[path] for path in layers if path in captured}
    for path, (layer, mask) in layers.items():
        if layout == "auto" and example is not None:
            chosen = _fastest(layer, mask, captured[path])
        elif layout == "auto":
            chosen = _by_rule(layer, mask)
        elif layout == "smallest":
            chosen = min((build() for build in _candidates(layer, mask).values()), key=state_bytes)
        else:
            chosen = _candidates(layer, mask).get(layout, lambda layer=layer: layer)()
        result = _replaced(result, path, chosen)
    return result


def layouts_of(model: nn.Module) -> dict[str, str]:
    """The layout of every compacted layer by its path; dense layers are not listed."""
    kinds = {BlockLinear: "block", BlockConv: "block", SparseLinear: "sparse"}
    kinds[SparseConv2d] = "sparse"
    return {path: kinds[type(m)] for path, m in model.named_modules() if type(m) in kinds}


def _masked_layers(
    model: nn.Module, masks: Mapping[str, Tensor]
) -> dict[str, tuple[nn.Module, Tensor]]:
    layers: dict[str, tuple[nn.Module, Tensor]] = {}
    masked_tensors = {id(model.get_parameter(name)): mask for name, mask in masks.items()}
    dense = read_directly(model)
    for path, module in model.named_modules():
        if module in dense or not isinstance(module, LAYERS):
            continue
        if id(module.weight) in masked_tensors:
            mask = masked_tensors[id(module.weight)].to(module.weight.device)
            if not bool(mask.all()):
                layers[path] = (module, mask)
    return layers


def _full_weight(layer: nn.Module, support: npt.NDArray[np.bool_]) -> Tensor:
    """The weight over all input channels, ``(outputs, inputs, *kernel)``, zero between groups."""
    weight: Tensor = layer.weight.detach()  # type: ignore[operator]
    groups = int(getattr(layer, "groups", 1))
    if groups == 1:
        return weight
    full = weight.new_zeros(weight.shape[0], support.shape[1], *weight.shape[2:])
    rows, per_group = weight.shape[0] // groups, weight.shape[1]
    for g in range(groups):
        part = slice(g * rows, (g + 1) * rows)
        full[part, g * per_group : (g + 1) * per_group] = weight[part]
    return full


def _candidates(layer: nn.Module, mask: Tensor) -> dict[str, Callable[[], nn.Module]]:
    """The ways to build a layer, by layout."""
    support = channel_support(layer, mask)
    blocks = blocks_of(support)
    builders: dict[str, Callable[[], nn.Module]] = {"dense": lambda: layer}
    if blocks.groups == 0:
        return builders

    def weight() -> Tensor:
        return _full_weight(layer, support)

    if isinstance(layer, nn.Linear):
        builders["block"] = lambda: BlockLinear(layer, weight(), blocks).to(mask.device)
        builders["sparse"] = lambda: SparseLinear(weight(), support, layer.bias)
    elif isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        builders["block"] = lambda: BlockConv(layer, weight(), blocks).to(mask.device)
        if isinstance(layer, nn.Conv2d):
            builders["sparse"] = lambda: SparseConv2d(layer, weight(), support)
    return builders


def _by_rule(layer: nn.Module, mask: Tensor) -> nn.Module:
    candidates = _candidates(layer, mask)
    blocks = blocks_of(channel_support(layer, mask))
    groups = int(getattr(layer, "groups", 1))
    density = float(mask.float().mean()) / groups
    linear = isinstance(layer, nn.Linear)
    if mask.numel() < SMALLEST_LAYER or "block" not in candidates:
        return candidates["dense"]()
    tall = mask.numel() >= LARGE_LINEAR if linear else blocks.height >= BLOCK_HEIGHT
    if tall and blocks.density <= BLOCK_DENSITY / groups:
        return candidates["block"]()
    if blocks.groups == 1 and blocks.density < 0.9:
        return candidates["block"]()
    on_cpu = mask.device.type == "cpu"
    if "sparse" in candidates and on_cpu and groups == 1 and density <= SPARSE_DENSITY:
        return candidates["sparse"]()
    return candidates["dense"]()


def _fastest(layer: nn.Module, mask: Tensor, inputs: Tensor) -> nn.Module:
    """The candidate with the shortest pass; dense unless another is a tenth faster.

    Of several passes the shortest counts: other programs on the machine can only lengthen a pass.
    """
    built = []
    for name, build in _candidates(layer, mask).items():
        usable = inputs.device.type == "cpu" or name != "sparse"
        small_enough = name != "block" or blocks_of(channel_support(layer, mask)).density < 1.0
        if usable and small_enough:
            built.append(build())
    times = [min(seconds) for seconds in timings(built, inputs, repeats=15)]
    times[0] *= 0.9
    return built[min(range(len(built)), key=times.__getitem__)]


def _inputs_of(
    model: nn.Module, layers: Mapping[str, tuple[nn.Module, Tensor]], example: Tensor
) -> dict[str, Tensor]:
    """The input of each layer's first call while the model runs on ``example``."""
    captured: dict[str, Tensor] = {}

    def keep(path: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            captured.setdefault(path, inputs[0].detach())

        return hook

    handles = [layer.register_forward_pre_hook(keep(path)) for path, (layer, _) in layers.items()]
    try:
        with torch.no_grad():
            model(example)
    finally:
        for handle in handles:
            handle.remove()
    return captured


def _replaced(model: nn.Module, path: str, module: nn.Module) -> nn.Module:
    if not path:
        return module
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, module)
    return model


__all__ = ["LAYOUTS", "Blocks", "UserError", "compact", "layouts_of"]
