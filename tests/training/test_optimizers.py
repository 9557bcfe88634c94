"""SGD and Adam against PyTorch's own."""

import pytest
import torch
from two_blobs import network

from graphprune.training import optimizers


@pytest.mark.parametrize(
    ("own", "theirs"),
    [
        (
            lambda p: optimizers.SGD(p, momentum=0.9, weight_decay=0.01),
            lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01),
        ),
        (
            lambda p: optimizers.Adam(p, weight_decay=0.01),
            lambda p: torch.optim.Adam(p, 0.1, weight_decay=0.01),
        ),
    ],
)
def test_optimizers_give_the_bits_of_torch(own, theirs):
    models = [network(), network()]
    first = own(models[0].parameters())
    second = theirs(models[1].parameters())
    generator = torch.Generator().manual_seed(0)
    for step in range(5):
        images = torch.randn(8, 1, 1, 2, generator=generator)
        for model in models:
            # the last layer has no gradient in the second step
            (model[:2] if step == 1 else model)(images).square().sum().backward()
        first.step(0.1)
        second.step()
        first.zero_grad()
        second.zero_grad()
    for mine, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(mine, other)
