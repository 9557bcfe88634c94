"""The attack of adversarial training: projected gradient descent in the l∞ ball around an image."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graphprune.data.base import Scaling
    from graphprune.training.settings import Adversarial


class Attack:
    """Finds images of high loss (Madry et al., arXiv 1706.06083).

    x₀ = x + u, u uniform in [−ε, ε];  x ← clip(x + step·sign ∇L(x)), ``steps`` times; clip keeps
    every pixel within ε of the image's and within its range. L is the cross-entropy. The network is
    in evaluation mode meanwhile, so that its norms and dropout see no attack's steps.

    scaling: how pixels became inputs; ε and step are shares of a pixel's range, so that an input
    moves by ε/std of its channel. None: the inputs are no pixels; ε and step are in their unit, and
    no range holds.
    """

    def __init__(self, options: Adversarial, scaling: Scaling | None, device: torch.device) -> None:
        def by_channel(values: tuple[float, ...]) -> Tensor:
            return torch.tensor(values, device=device).view(1, -1, 1, 1)

        mean = by_channel(scaling.mean if scaling and scaling.mean else (0.0,))
        std = by_channel(scaling.std if scaling and scaling.std else (1.0,))
        self.epsilon, self.step = options.epsilon / std, options.step / std
        self.steps = options.steps
        endless = torch.tensor(torch.inf, device=device)
        self.black = (0.0 - mean) / std if scaling else -endless
        self.white = (1.0 - mean) / std if scaling else endless

    def __call__(
        self, model: nn.Module, forward: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor
    ) -> Tensor:
        """Images of the same shape. forward: the passes of ``model``, in their precision."""
        low = torch.clamp(images - self.epsilon, self.black, self.white)
        high = torch.clamp(images + self.epsilon, self.black, self.white)
        start = images + self.epsilon * (2 * torch.rand_like(images) - 1)
        found = torch.clamp(start, low, high)
        was_training = model.training
        model.eval()
        for _ in range(self.steps):
            found.requires_grad_(True)
            loss = functional.cross_entropy(forward(found).float(), labels, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, found)
            found = torch.clamp(found.detach() + self.step * gradient.sign(), low, high)
        model.train(was_training)
        return found
