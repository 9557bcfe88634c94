"""A network whose training and evaluation differ, and examples that no batch divides."""

from __future__ import annotations

import torch
from torch import nn

from graphprune.data import Split

CLASSES = 3


def network(seed: int = 0) -> nn.Module:
    """Convolution, batch norm, dropout, linear."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(64, CLASSES),
    )


def examples(n: int = 23, seed: int = 0) -> Split:
    """Noise with a class's own corner a little brighter."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES, (n,), generator=generator)
    images = torch.randn(n, 1, 4, 4, generator=generator)
    images[torch.arange(n), 0, labels, labels] += 1.5
    return Split(images, labels)


def masks(model: nn.Module, share: float = 0.5) -> dict[str, torch.Tensor]:
    """Some weights of every layer are out."""
    generator = torch.Generator().manual_seed(2)
    weights = {name: p for name, p in model.named_parameters() if p.dim() > 1}
    return {name: torch.rand(p.shape, generator=generator) > share for name, p in weights.items()}


def exact_accuracy(model: nn.Module, split: Split) -> float:
    """The share of right answers one by one, in evaluation mode; ``model`` stays as it is."""
    modes = [module.training for module in model.modules()]
    model.eval()
    with torch.no_grad():
        right = [
            int(model(image[None]).argmax()) == int(label)
            for image, label in zip(split.images, split.labels, strict=True)
        ]
    for module, mode in zip(model.modules(), modes, strict=True):
        module.training = mode
    return sum(right) / len(right)
