"""A small network, few examples and quick settings for the tests of ProbMask."""

import torch
from torch import Tensor, nn

from graphprune.probmask.settings import Settings

QUICK = Settings(sparsity=0.8, epochs=6, batch_size=20, final_draws=3)


def network(seed: int = 0) -> nn.Module:
    """Convolution, grouped convolution, batch norm, dropout and linear."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, stride=2, groups=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(16, 3),
    )


def examples(n: int = 61) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(0, 3, (n,), generator=generator)
    images = torch.randn(n, 1, 6, 6, generator=generator)
    images[torch.arange(n), 0, labels] += 2.0
    return images, labels
