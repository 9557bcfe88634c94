"""What a step does to every weight: draw masks, gather gradients.

On the CPU by compiled kernels, each reading its entries once; elsewhere, and for other dtypes, by
`relaxation`'s torch functions, which say what is computed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch

from graphprune.probmask import relaxation

if TYPE_CHECKING:
    from torch import Tensor


class Passes:
    """The passes over the ``(N,)`` vectors of one training; all vectors alike in dtype and device.

    drawn: how many random numbers were used. On the CPU the seed and this number are the whole
        state; elsewhere noise comes from torch's generator of the device.
    """

    def __init__(self, like: Tensor, seed: int) -> None:
        self.compiled = like.device.type == "cpu" and like.dtype in (torch.float32, torch.float64)
        self.first = int.from_bytes(hashlib.sha256(f"probmask {seed}".encode()).digest()[:8])
        self.drawn = 0

    def draw(
        self, probabilities: Tensor, weights: Tensor, temperature: float, mask: Tensor, out: Tensor
    ) -> None:
        """One relaxed mask m into ``mask``, w·m into ``out``."""
        if not self.compiled:
            relaxation.draw(relaxation.logits(probabilities), temperature, mask)
            torch.mul(weights, relaxation.without_faint_(mask), out=out)
            return
        from graphprune.probmask import kernels

        kernels.odds(probabilities.numpy(), self.first + self.drawn, mask.numpy())
        self.drawn += mask.numel()
        mask.log_().mul_(1.0 / temperature).sigmoid_()
        kernels.settle(mask.numpy(), probabilities.numpy(), weights.numpy(), out.numpy())

    def gather(
        self,
        gradient: Tensor,
        mask: Tensor,
        weights: Tensor,
        for_weights: Tensor,
        for_probabilities: Tensor,
    ) -> None:
        """Add the gradients of one draw; ``gradient``, of the loss by w·m, becomes 0.

        ``for_probabilities`` lacks the factor 1/(τ·s(1 − s)) until `close`.
        """
        if not self.compiled:
            for_weights.addcmul_(gradient, mask)
            for_probabilities.add_(relaxation.through_mask(gradient.mul_(weights), mask))
            gradient.zero_()
            return
        from graphprune.probmask import kernels

        vectors = (gradient, mask, weights, for_weights, for_probabilities)
        kernels.gather(*(vector.numpy() for vector in vectors))

    def close(self, for_probabilities: Tensor, probabilities: Tensor, temperature: float) -> None:
        """Make ``for_probabilities``, summed over the draws, the gradient by s."""
        if not self.compiled:
            relaxation.through_probability(for_probabilities, probabilities, temperature)
            return
        from graphprune.probmask import kernels

        kernels.slope(for_probabilities.numpy(), probabilities.numpy(), temperature)
