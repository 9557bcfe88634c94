"""Gradients of the relaxation."""

import torch
from torch import Tensor

from graphprune.probmask import relaxation


def test_gradient_of_the_relaxation_against_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    s = torch.rand(50, generator=generator, dtype=torch.float64) * 0.9 + 0.05
    noise = torch.logit(torch.rand(50, generator=generator, dtype=torch.float64), eps=1e-6)
    upstream = torch.randn(50, generator=generator, dtype=torch.float64)

    def mask(at: Tensor, temperature: float) -> Tensor:
        return relaxation.relax(relaxation.logits(at), noise.clone(), temperature)

    for temperature in (1.0, 0.4, 0.1):
        through = relaxation.through_mask(upstream.clone(), mask(s, temperature))
        gradient = relaxation.through_probability(through, s, temperature)
        step = 1e-6
        difference = mask(s + step, temperature) - mask(s - step, temperature)
        torch.testing.assert_close(
            gradient, upstream * difference / (2 * step), rtol=1e-5, atol=1e-7
        )
