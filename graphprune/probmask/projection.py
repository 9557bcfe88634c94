"""Euclidean projection onto probabilities whose sum keeps a budget.

The projection of s onto {0 ≤ p ≤ 1, Σp ≤ B} is clip(s − v, 0, 1) with v = 0 where that keeps the
budget, else with the v > 0 at which the sum is B. The sum is a decreasing piecewise-linear function
of v, so Newton's method, held inside a bracket, ends on the right piece after a few evaluations,
each one pass over the entries; nothing is sorted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from graphprune.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

# of the budget; an order below the accuracy promised
TOLERANCE = 1e-7
# what is promised, and checked: how far Σp may be above the budget, relative to it
EXCESS = 1e-6
MAX_EVALUATIONS = 200

Evaluate = Callable[[float], tuple[float, float]]


def project(probabilities: Sequence[Tensor], budget: float) -> list[Tensor]:
    """The nearest point, in Euclidean distance over all tensors together, that keeps the budget.

    min_p Σ‖p − s‖²  subject to  0 ≤ p ≤ 1,  Σp ≤ budget.

    Parameters
    ----------
    probabilities : floating-point tensors of any shapes, on one device; values may lie outside
        [0, 1], as they do after an optimizer's step.
    budget : the largest sum allowed, ≥ 0; a keep rate times the number of weights.

    Returns
    -------
    New tensors of the same shapes and dtypes. Their sum exceeds the budget by no more than 1e-6 of
    it, and reaches it to the same accuracy where the budget binds. Sums are taken in float64.

    Raises
    ------
    UserError : the budget is negative or not a number; an entry is not finite; a tensor is not of
        a floating-point dtype.

    Paper: Zhou et al., arXiv 2105.01571, theorem 1.

    >>> project([torch.tensor([0.9, 0.5]), torch.tensor([0.2])], budget=1.0)
    [tensor([0.7000, 0.3000]), tensor([0.])]
    """
    for index, tensor in enumerate(probabilities):
        if not tensor.is_floating_point():
            raise UserError(
                f"probabilities[{index}] has dtype {tensor.dtype}; expected a floating-point dtype"
            )
    check_budget(budget)
    if not probabilities:
        return []
    flat = torch.cat([tensor.detach().reshape(-1) for tensor in probabilities])
    project_(flat, budget)
    return [
        part.to(tensor.dtype).view(tensor.shape)
        for part, tensor in zip(
            flat.split([tensor.numel() for tensor in probabilities]), probabilities, strict=True
        )
    ]


def check_budget(budget: float) -> None:
    """Raise UserError unless ``budget`` is a number ≥ 0."""
    if not (budget >= 0.0 and math.isfinite(budget)):
        raise UserError(f"budget is {budget}; allowed: a finite number >= 0")


def check_kept(flat: Tensor, budget: float, where: str) -> float:
    """Σs of the vector ``flat``, in float64.

    where: for the error, such as "epoch 3".

    Raises UserError unless 0 ≤ s ≤ 1 and Σs ≤ ``budget``·(1 + 1e-6).
    """
    least, largest = (float(end) for end in flat.aminmax())
    if not (least >= 0.0 and largest <= 1.0):
        raise UserError(f"{where}: probabilities are in [{least}, {largest}]; allowed: [0, 1]")
    total = float(flat.sum(dtype=torch.float64))
    if total > budget * (1.0 + EXCESS):
        raise UserError(f"{where}: probabilities sum up to {total}; allowed: at most {budget}")
    return total


def project_(flat: Tensor, budget: float, start: float = 0.0) -> float:
    """Project the vector ``flat`` in place and return v.

    start: where the search for v begins; the last step's v saves evaluations in a training.
    Raises UserError if an entry is not finite.
    """
    if flat.numel() == 0:
        return 0.0
    evaluate, clip = _passes(flat)
    shift = solve(evaluate, budget, start)
    clip(shift)
    return shift


def solve(evaluate: Evaluate, budget: float, start: float = 0.0) -> float:
    """The v ≥ 0 at which Σ clip(s − v, 0, 1) meets ``budget``, 0 where it is already kept.

    ``evaluate(v)`` gives that sum and the number of entries with 0 < s − v < 1, minus its slope.
    """
    tolerance = TOLERANCE * budget
    low, high = 0.0, math.inf
    v, previous = start, math.inf
    for _ in range(MAX_EVALUATIONS):
        total, active = evaluate(v)
        if not math.isfinite(total):
            raise UserError("a probability is not finite; expected finite numbers only")
        excess = total - budget
        if abs(excess) <= tolerance or (v == 0.0 and excess <= 0.0):
            return v
        low, high = (v, high) if excess > 0.0 else (low, v)
        newton = v + excess / active if active else math.nan
        # Newton may creep along a long row of pieces: where it does not halve the excess, bisect
        if newton <= 0.0:
            v = 0.0 if low == 0.0 else _between(low, high)
        elif low < newton < high and abs(excess) < 0.5 * previous:
            v = newton
        else:
            v = _between(low, high)
        if v != 0.0 and v in (low, high):
            return high
        previous = abs(excess)
    return high


def _between(low: float, high: float) -> float:
    return 2.0 * low + 1.0 if math.isinf(high) else 0.5 * (low + high)


def _passes(flat: Tensor) -> tuple[Evaluate, Callable[[float], None]]:
    """One pass that evaluates and one that clips, for the device and dtype of ``flat``."""
    if flat.device.type == "cpu" and flat.dtype in (torch.float32, torch.float64):
        from graphprune.probmask import kernels

        values = flat.numpy()
        return (lambda v: kernels.sum_and_active(values, v)), (lambda v: kernels.clip(values, v))
    return (lambda v: _sum_and_active(flat, v)), (lambda v: _clip(flat, v))


# entries a piece, so that float64 temporaries stay small beside the vector
PIECE = 1 << 22


def _sum_and_active(flat: Tensor, v: float) -> tuple[float, float]:
    sums = []
    for piece in flat.split(PIECE):
        shifted = piece.to(torch.float64) - v
        active = ((shifted > 0.0) & (shifted < 1.0)).sum()
        sums.append(torch.stack([shifted.clamp_(0.0, 1.0).sum(), active.to(torch.float64)]))
    total, active_count = torch.stack(sums).sum(0).tolist()
    return total, active_count


def _clip(flat: Tensor, v: float) -> None:
    for piece in flat.split(PIECE):
        # the difference in float64: v rounded to float32 would shift all entries the same way
        piece.copy_((piece.to(torch.float64) - v).clamp_(0.0, 1.0))
