"""Networks of plain layers for the tests of RGP, and a graph search that is quick."""

from __future__ import annotations

from torch import nn

FEW = {"evaluations": 200}


def mlp():
    return nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
    )


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 6, 2),
        nn.Conv2d(6, 16, 6, 2),
        nn.Flatten(),
        nn.Linear(256, 120),
        nn.Linear(120, 84),
        nn.Linear(84, 10),
    )
