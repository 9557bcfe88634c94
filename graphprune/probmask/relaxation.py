"""Gumbel-sigmoid masks: random, differentiable in the keep probability, hard in the limit τ → 0.

m = sigmoid((log s − log(1 − s) + g₁ − g₀)/τ), where g₁ and g₀ are Gumbel noise. Their difference
has the logistic distribution, so one uniform number u a weight is enough: g₁ − g₀ = logit(u). For
every τ, P(m > ½) = s. At s = 0 and s = 1 the mask is exactly 0 and 1 and its derivative 0 (its
limit for τ < 1), so a weight that is out contributes nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

# beyond any logit of a float32 in (0, 1) plus noise, over any temperature: sigmoid gives 0 or 1
CERTAIN = 1e4
# the float32 numbers beside 0 (normal) and 1
SMALLEST = 2.0**-126
LARGEST = 1.0 - 2.0**-24
# half the spacing of float32 uniform numbers: keeps logit(u) finite at u = 0
HALF_SPACING = 2.0**-25
TINY = 1e-30
# a mask below counts as 0: products with it would be subnormal numbers, which are slow
FAINT = 1e-12


def logits(probabilities: Tensor) -> Tensor:
    """log s − log(1 − s), ±1e4 where s is 0 or 1."""
    # vectorised logarithms fall back to slow ones at 0, hence the clamp first
    inside = probabilities.clamp(SMALLEST, LARGEST).logit_()
    inside.masked_fill_(probabilities <= 0.0, -CERTAIN)
    inside.masked_fill_(probabilities >= 1.0, CERTAIN)
    return inside


def draw(logit: Tensor, temperature: float, out: Tensor) -> Tensor:
    """One relaxed mask for every entry of ``logit``, in ``out``; noise from torch's generator."""
    out.uniform_().logit_(HALF_SPACING)
    return relax(logit, out, temperature)


def relax(logit: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """m = sigmoid((logit + noise)/τ), written over ``noise``."""
    return noise.add_(logit).mul_(1.0 / temperature).sigmoid_()


def without_faint_(mask: Tensor) -> Tensor:
    """The mask with entries below 1e-12 set to 0, in place."""
    return mask.masked_fill_(mask < FAINT, 0.0)


def through_mask(gradient: Tensor, mask: Tensor) -> Tensor:
    """From ∂L/∂m to ∂L/∂m · m(1 − m), written over ``gradient``.

    Divided by τ·s(1 − s) (`through_probability`) this is ∂L/∂s; the division is the same for all
    draws of a step and done once, after their sum.
    """
    torch.ops.aten.sigmoid_backward.grad_input(gradient, mask, grad_input=gradient)
    return gradient


def through_probability(gradient: Tensor, probabilities: Tensor, temperature: float) -> Tensor:
    """Σ of `through_mask` over draws divided by τ·s(1 − s), written over ``gradient``."""
    slope = (probabilities * (1.0 - probabilities)).clamp_(min=TINY)
    return gradient.div_(slope).mul_(1.0 / temperature)


def hard(probabilities: Tensor, generator: torch.Generator) -> Tensor:
    """A mask ~ Bernoulli(s) as booleans."""
    noise = torch.rand(probabilities.shape, generator=generator, device=probabilities.device)
    return noise < probabilities


def entropy(probabilities: Tensor) -> Tensor:
    """−s·log₂ s − (1 − s)·log₂(1 − s) of every entry, in bits; 0 where s is 0 or 1."""
    s = probabilities.to(torch.float64)
    nats: Tensor = -torch.special.xlogy(s, s) - torch.special.xlogy(1.0 - s, 1.0 - s)
    return nats / math.log(2.0)
