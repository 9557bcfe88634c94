"""A dataset of a few random pixels, and the scaling of CIFAR-10."""

from __future__ import annotations

import torch

from graphprune import data


def tiny(n: int = 12, scaling: data.Scaling | None = None) -> data.Dataset:
    """Three splits of random pixels of two classes."""
    generator = torch.Generator().manual_seed(0)

    def split() -> data.Split:
        pixels = torch.randint(0, 256, (n, 3, 4, 5), generator=generator).to(torch.uint8)
        images = scaling.forward(pixels) if scaling else pixels / 7
        return data.Split(images, torch.arange(n) % 2)

    return data.Dataset("tiny", split(), split(), split(), ("no", "yes"), (3, 4, 5), scaling)


CIFAR = data.Scaling(255, data.describe("cifar10").mean, data.describe("cifar10").std)
