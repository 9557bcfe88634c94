"""Scaling of pixels, and the digest of a dataset."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_datasets import CIFAR, tiny

from graphprune import data


@pytest.mark.parametrize("scaling", [data.Scaling(), CIFAR])
def test_every_pixel_value_survives_the_scaling(scaling: data.Scaling) -> None:
    pixels = torch.arange(256).to(torch.uint8).view(256, 1, 1, 1).expand(256, 3, 1, 1)
    assert torch.equal(scaling.backward(scaling.forward(pixels)), pixels)


def test_digest_sees_every_part() -> None:
    dataset = tiny(scaling=data.Scaling())
    image, label = dataset.train.images.clone(), dataset.train.labels.clone()
    image[0, 0, 0, 0] += 1 / 255
    label[0] = 1 - label[0]
    others = [
        replace(dataset, train=data.Split(image, dataset.train.labels)),
        replace(dataset, train=data.Split(dataset.train.images, label)),
        replace(dataset, train=dataset.validation, validation=dataset.train),
    ]
    assert len({dataset.digest, *(other.digest for other in others)}) == 4
