"""A network of one's own: three convolutions with batch norm, and a linear layer.

    python -m graphprune.check examples/network.py

docs/neural-graph.md lists the layers that a network may be made of.
"""

from itertools import pairwise
from typing import Annotated

from pydantic import Field
from torch import nn

import graphprune


def _misfit(input_shape):
    """Why the network does not fit images of this shape; "" if it does."""
    return "it needs images of at least 4x4 pixels" if min(input_shape[1:]) < 4 else ""


@graphprune.register_model("small_cnn", misfit=_misfit)
def build(
    input_shape,
    num_classes,
    *,
    # an option of the configuration: `{model: small_cnn, options: {channels: 16}}`
    channels: Annotated[int, Field(ge=1, description="Channels of the first convolution.")] = 8,
):
    """From images (n, *input_shape) to logits (n, num_classes).

    The weights are drawn from torch's own generator, which graphprune has seeded.
    """
    widths = [input_shape[0], channels, 2 * channels, 4 * channels]
    layers = []
    for number, (cin, cout) in enumerate(pairwise(widths)):
        layers += [
            nn.Conv2d(cin, cout, kernel_size=3, stride=2 if number else 1, padding=1, bias=False),
            nn.BatchNorm2d(cout),
            nn.ReLU(),
        ]
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], num_classes)
    )
