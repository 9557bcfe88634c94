"""Two classes of points in the plane, and a small network that learns to tell them apart."""

import torch
from torch import nn

from graphprune.data import Split


def examples():
    """Two classes apart along one axis: 80 points in the plane."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(80) % 2
    images = torch.randn(80, 1, 1, 2, generator=generator)
    images[:, 0, 0, 0] += 6.0 * labels - 3.0
    return Split(images, labels)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
