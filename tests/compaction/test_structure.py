"""Blocks and the channels that masks join."""

from __future__ import annotations

import torch
from torch import nn

from graphprune.compaction.structure import blocks_of, channel_support
from graphprune.methods.rgp import RGP


def test_blocks_of_a_graph_mask_are_its_neighbourhoods():
    method = RGP(sparsity=0.5, nodes=8, dense_last=False, evaluations=100)
    layer = nn.Linear(24, 16)
    scores = method.run(layer).scores["weight"]
    blocks = blocks_of(channel_support(layer, scores > 0))
    k = round(scores.mean().item() * 8)
    assert blocks.groups == 8
    assert [list(r) for r in blocks.rows] == [[2 * i, 2 * i + 1] for i in range(8)]
    assert {len(s) for s in blocks.support} == {3 * k}
    assert blocks.density == k / 8


def test_support_of_grouped_convolutions_is_absolute():
    layer = nn.Conv2d(4, 4, 1, groups=2)
    mask = torch.tensor([[1, 0], [0, 1], [1, 1], [0, 0]], dtype=torch.bool).reshape(4, 2, 1, 1)
    expected = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]]
    assert channel_support(layer, mask).tolist() == [[bool(x) for x in row] for row in expected]
