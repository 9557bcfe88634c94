"""SNIP: a connection matters as much as the loss reacts to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from graphprune.errors import UserError
from graphprune.methods.base import Examples, Method, Result, Seed

if TYPE_CHECKING:
    from torch import Tensor, nn

# examples in one forward and backward pass; the gradient is the same for any number
CHUNK = 256


@dataclass(frozen=True)
class SNIP(Method):
    """importance = |w · ∂L/∂w|, the connection sensitivity, L the cross-entropy of a few examples.

    With an indicator c = 1 on every connection, w·∂L/∂w is ∂L(c ⊙ w)/∂c. The paper scores the
    untrained network (regime `scratch`) on one mini-batch, of 100 images on MNIST and 128 on
    CIFAR-10. Norms use their running statistics and dropout is off, so that the share of an example
    does not depend on the others.

    Paper: Lee, Ajanthan and Torr, SNIP: Single-shot Network Pruning based on Connection
    Sensitivity, ICLR 2019, arXiv 1810.02340.

    >>> scores = SNIP(seed=1).run(model, images, labels).scores
    """

    name: ClassVar[str] = "snip"
    paper: ClassVar[str] = "arXiv 1810.02340"
    title: ClassVar[str] = "SNIP"
    colour: ClassVar[str] = "#56B4E9"
    marker: ClassVar[str] = "s"
    examples: ClassVar[Examples] = "training"
    seeded: ClassVar[bool] = True

    batch_size: Annotated[
        int,
        Field(
            ge=1,
            description="Examples whose loss counts, drawn from the training split; all of them "
            "where there are fewer.",
        ),
    ] = 100
    seed: Annotated[Seed, Field(description="Of the choice of the examples.")] = 0

    def run(
        self, model: nn.Module, inputs: Tensor | None = None, targets: Tensor | None = None
    ) -> Result:
        import torch
        from torch.nn import functional

        from graphprune.masks import prunable

        if inputs is None or targets is None:
            raise UserError("method snip needs examples with their labels: inputs and targets")
        generator = torch.Generator().manual_seed(self.seed)
        chosen = torch.randperm(len(inputs), generator=generator)[: self.batch_size]
        weights = prunable(model)
        for name, weight in weights.items():
            if not weight.requires_grad:
                raise UserError(f"{name} is frozen; snip needs the gradient of every such weight")
        sums = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        device = next(iter(weights.values())).device
        for part in chosen.split(CHUNK):
            logits, labels = model(inputs[part].to(device)), targets[part].to(device)
            loss = functional.cross_entropy(logits, labels, reduction="sum")
            # the loss does not depend on a layer that is not used
            gradients = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
            for name, gradient in zip(weights, gradients, strict=True):
                sums[name] += 0 if gradient is None else gradient
        scores = {
            name: (weight.detach() * sums[name] / len(chosen)).abs()
            for name, weight in weights.items()
        }
        return Result(scores, report={"examples": float(len(chosen))})
