"""New weights for a training from scratch or a supermask."""

from __future__ import annotations

import math

import torch
from torch import nn

from graphprune.errors import UserError
from graphprune.masks import prunable


@torch.no_grad()
def initialise(model: nn.Module, kind: str) -> None:
    """Start all weights of ``model`` anew, in place, by torch's generator.

    Every layer's ``reset_parameters`` is called; then, unless ``kind`` is "default", prunable
    weights are drawn again: "kaiming", normal with standard deviation √(2/fan-in);
    "signed_constant", ±√(2/fan-in) with random signs.

    Papers: He et al., arXiv 1502.01852; Ramanujan et al., What's Hidden in a Randomly Weighted
    Neural Network?, arXiv 1911.13299.

    Raises UserError for a module that has parameters but no ``reset_parameters``.
    """
    projections = {m.out_proj for m in model.modules() if isinstance(m, nn.MultiheadAttention)}
    for path, module in model.named_modules():
        reset = getattr(module, "reset_parameters", None)
        if isinstance(module, nn.MultiheadAttention):
            # as when it is made: the output projection first, whose bias it then sets to 0
            module.out_proj.reset_parameters()
            module._reset_parameters()
        elif module in projections:
            continue
        elif callable(reset):
            reset()
        elif next(module.parameters(recurse=False), None) is not None:
            raise UserError(
                f"{path or 'model'} ({type(module).__name__}) has parameters but no "
                'reset_parameters; it cannot start from scratch, use mode "checkpoint"'
            )
    if kind == "default":
        return
    for weight in prunable(model).values():
        scale = math.sqrt(2.0 / math.prod(weight.shape[1:]))
        weight.normal_()
        if kind == "signed_constant":
            weight.sign_()
        weight.mul_(scale)
