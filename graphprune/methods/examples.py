"""What the examples must be that a method looks at; the one place that checks them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphprune.errors import UserError
from graphprune.methods.base import Method

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

# examples that the network is tried on; more than one, for norms over the batch
TRIED = 2


def check_examples(
    method: Method, model: nn.Module, inputs: Tensor | None, targets: Tensor | None
) -> None:
    """Raise UserError unless ``method`` can use the examples; nothing is asked if it needs none.

    inputs: finite, floating-point ``(n, *input shape)`` with n ≥ 1, or integers for a network with
    an embedding; on any device that holds values. targets: int64 ``(n,)``, not negative. For a
    method that trains the ``model``, in evaluation mode, is tried on the first two examples: it
    must give one row of logits for each, and every target must be one of their columns.
    """
    if method.examples == "none":
        return
    if inputs is None or (targets is None and method.examples == "training"):
        raise UserError(
            f"method {method.name} needs inputs: the examples that it looks at; expected inputs "
            "and targets"
        )
    _check_inputs(model, inputs)
    if targets is not None:
        _check_targets(inputs, targets)
    if targets is not None and method.examples == "training":
        classes = _classes(model, inputs)
        if (largest := int(targets.max())) >= classes:
            raise UserError(
                f"targets are 0 to {largest}, but the model has {classes} outputs; allowed: 0 to "
                f"{classes - 1}"
            )


def _check_inputs(model: nn.Module, inputs: Tensor) -> None:
    import torch
    from torch import nn

    if getattr(inputs, "streamed", False):
        return  # made from pixels, so that they are finite; to look at all would read every file
    if not isinstance(inputs, torch.Tensor):
        raise UserError(_no_tensor("inputs", inputs))
    if inputs.is_meta or inputs.layout != torch.strided:
        raise UserError(
            f"inputs are {inputs.layout} on {inputs.device}; expected a dense tensor with values"
        )
    if inputs.ndim < 2 or not inputs.numel():
        raise UserError(
            f"inputs have shape {tuple(inputs.shape)}; expected (n, *input shape) with n >= 1"
        )
    tokens = any(isinstance(module, nn.Embedding | nn.EmbeddingBag) for module in model.modules())
    if tokens and inputs.dtype in (torch.int32, torch.int64):
        return
    if not inputs.is_floating_point():
        raise UserError(
            f"inputs are {inputs.dtype}; expected floating-point numbers, such as images.float() "
            "/ 255"
        )
    if not torch.isfinite(inputs).all():
        raise UserError("inputs contain NaN or infinite numbers; expected finite ones")


def _check_targets(inputs: Tensor, targets: Tensor) -> None:
    import torch

    if not isinstance(targets, torch.Tensor):
        raise UserError(_no_tensor("targets", targets))
    if targets.dtype != torch.int64 or targets.is_meta:
        raise UserError(
            f"targets are {targets.dtype} on {targets.device}; expected class labels, torch.int64"
        )
    if targets.ndim != 1 or len(targets) != len(inputs):
        raise UserError(
            f"targets have shape {tuple(targets.shape)}; expected ({len(inputs)},), a class label "
            f"for each of the {len(inputs)} inputs"
        )
    if (least := int(targets.min())) < 0:
        raise UserError(f"targets contain {least}; allowed: class labels from 0")


def _no_tensor(what: str, value: object) -> str:
    hint = "; torch.from_numpy makes one" if type(value).__module__ == "numpy" else ""
    return f"{what} are {type(value).__name__}; expected a torch.Tensor{hint}"


def _classes(model: nn.Module, inputs: Tensor) -> int:
    """How many logits the model gives; random numbers are as they were before."""
    import torch

    like = next(model.parameters())
    device: torch.device = like.device
    first = inputs[:TRIED]
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.no_grad():
            logits = model(first.to(device))
    except Exception as error:  # the forward pass may raise any
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"model, of {like.dtype} on {device}, does not run on inputs {tuple(first.shape)} of "
            f"{inputs.dtype}: {line}"
        ) from error
    shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or len(logits) != len(first):
        raise UserError(
            f"model gives {shape} for {len(first)} examples; expected logits ({len(first)}, "
            "classes)"
        )
    return logits.shape[1]
