"""What a method may rely on when it runs, and what its result must be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from typing import TYPE_CHECKING

from graphprune.errors import UserError
from graphprune.methods.base import Method, Result
from graphprune.methods.examples import check_examples

if TYPE_CHECKING:
    from torch import Tensor, nn


def run_checked(
    method: Method,
    model: nn.Module,
    inputs: Tensor | None = None,
    targets: Tensor | None = None,
    looser: Result | None = None,
) -> Result:
    """The result of ``method`` on ``model``, checked.

    The method gets the model in evaluation mode, with gradients enabled; afterwards the model's
    modules are in the modes in which they were. looser: as for `Method.run_after`.

    Raises UserError where the model cannot be pruned (`masks.prunable`, `check_model`), where
    examples are missing or cannot be used (`check_examples`), where the method has changed the
    model, and that names what is wrong with the result (`violations`).
    """
    with _guarded(method, model, inputs, targets):
        if looser is None:
            result = method.run(model, inputs, targets)
        else:
            result = method.run_after(looser, model, inputs, targets)
    return _sound(method, model, result)


def run_part_checked(
    method: Method,
    model: nn.Module,
    inputs: Tensor | None,
    targets: Tensor | None,
    part: int,
    parts: int,
) -> Result:
    """As `run_checked`, by the examples of one of ``parts`` equal parts (`Method.run_part`)."""
    with _guarded(method, model, inputs, targets):
        result = method.run_part(model, inputs, part, parts, targets)
    return _sound(method, model, result)


def _sound(method: Method, model: nn.Module, result: Result) -> Result:
    if wrong := violations(model, result, method.decides_mask):
        raise UserError(f"method {method.name}: {wrong[0]}")
    return result


@contextmanager
def _guarded(
    method: Method, model: nn.Module, inputs: Tensor | None, targets: Tensor | None
) -> Iterator[None]:
    """What a method may rely on; afterwards UserError if it has changed the model."""
    import torch

    check_model(model)
    before = {name: value.clone() for name, value in _tensors(model)}
    with _evaluating(model), torch.enable_grad():
        check_examples(method, model, inputs, targets)
        yield
    after = dict(_tensors(model))
    for name, value in before.items():
        if name not in after or not _same(value, after[name]):
            raise UserError(f"method {method.name} changed the model: {name} has other values")


def _tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The state, without what modules add to it that is no tensor."""
    import torch

    state = model.state_dict()
    return ((name, value) for name, value in state.items() if isinstance(value, torch.Tensor))


def check_model(model: nn.Module) -> None:
    """Raise UserError, naming the weight, for a model that no method could score.

    Weights must be real floating-point numbers of at least 16 bits, and finite. A NaN would
    otherwise be ranked, or found by one method and not by the next.
    """
    import torch
    from torch import nn

    from graphprune.masks import prunable

    if not isinstance(model, nn.Module):
        raise UserError(f"model is {type(model).__name__}; expected a torch.nn.Module")
    prunable(model)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if tensor.is_meta:
            raise UserError(f"{name} is on the meta device, which holds no values; load weights")
    for name, weight in model.named_parameters():
        if weight.is_complex() or (weight.is_floating_point() and weight.element_size() < 2):
            raise UserError(f"{name} has dtype {weight.dtype}; {_DTYPES}")
        if not torch.isfinite(weight).all():
            raise UserError(f"{name} contains NaN or infinite numbers; expected finite weights")
    for name, weight in prunable(model).items():
        if not weight.is_floating_point():
            raise UserError(f"{name} has dtype {weight.dtype}; {_DTYPES}")


_DTYPES = "expected torch.float32, float64, float16 or bfloat16"


def _same(before: Tensor, after: Tensor) -> bool:
    """Whether a tensor is as it was; a NaN is, too."""
    if before.shape != after.shape or before.device != after.device:
        return False
    return bool(((before == after) | (before != before)).all())


def violations(model: nn.Module, result: object, decides_mask: bool = False) -> list[str]:
    """What is wrong with the result of a method for ``model``, a sentence each.

    decides_mask: whether the scores must be 1 (keep) or 0.
    """
    import torch

    from graphprune.masks import prunable

    if not isinstance(result, Result):
        return [f"run returned {type(result).__name__}; expected graphprune.Result"]
    for part in ("scores", "weights", "report"):
        value = getattr(result, part)
        if not isinstance(value, Mapping):
            return [f"{part} are {type(value).__name__}; expected a dictionary"]
    wrong = []
    wanted = prunable(model)
    for name in sorted(result.scores.keys() - wanted.keys()):
        wrong.append(f"scores name {name!r}; expected the prunable weights {', '.join(wanted)}")
    for name, weight in wanted.items():
        score = result.scores.get(name)
        if score is None:
            wrong.append(f"scores lack {name}; expected one tensor for each prunable weight")
        elif not isinstance(score, torch.Tensor):
            wrong.append(f"score of {name} is {type(score).__name__}; expected a torch.Tensor")
        elif score.shape != weight.shape:
            shape, expected = tuple(score.shape), tuple(weight.shape)
            wrong.append(f"score of {name} has shape {shape}; expected {expected}")
        elif score.is_complex() or score.dtype in (torch.bool, torch.int8, torch.uint8):
            wrong.append(f"score of {name} has dtype {score.dtype}; expected real numbers")
        elif torch.isnan(score).any():
            wrong.append(f"score of {name} contains NaN; expected finite or infinite numbers")
        elif decides_mask and not ((score == 0) | (score == 1)).all():
            wrong.append(f"score of {name} has values other than 0 and 1, which make its mask")
    state = model.state_dict()
    for name, value in result.weights.items():
        shape = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
        if name not in state:
            wrong.append(f"weights name {name!r}, which is no entry of the network's state dict")
        elif shape != tuple(state[name].shape):
            expected = tuple(state[name].shape)
            wrong.append(f"weights of {name} have shape {shape}; expected {expected}")
        elif not value.isfinite().all():
            wrong.append(f"weights of {name} contain NaN or infinite numbers; expected finite ones")
    for key, number in result.report.items():
        if not isinstance(number, Real):
            wrong.append(f"report {key} is {number!r}; expected a number")
    return wrong


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """``model`` in evaluation mode; afterwards every module in the mode in which it was."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
