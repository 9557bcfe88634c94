"""Bytes of layers counted by hand, and latencies."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import graphprune
from graphprune.compaction import latency
from graphprune.compaction.measure import state_bytes
from graphprune.errors import UserError


def test_bytes_of_a_sparse_linear_layer_by_hand():
    layer = nn.Linear(100, 8)
    mask = torch.zeros(8, 100, dtype=torch.bool)
    mask[torch.arange(8), torch.arange(8)] = True
    mask[0, 10:20] = True
    small = graphprune.compact(layer, {"weight": mask}, layout="sparse")
    # 18 weights of 4 bytes with a 2-byte column each, 8 rows with a 4-byte count and a bias
    assert state_bytes(small) == 18 * (4 + 2) + 8 * (4 + 4)
    assert state_bytes(layer) == 4 * (8 * 100 + 8)


@pytest.mark.parametrize(("taps_kept", "kept_bytes"), [(9, 9 * 4 + 2), (1, 4 + 2)])
def test_a_convolution_keeps_whole_kernels_or_single_weights(taps_kept, kept_bytes):
    layer = nn.Conv2d(16, 16, 3, bias=False)
    mask = torch.zeros(16, 16, 9, dtype=torch.bool)
    mask[torch.arange(16), torch.arange(16), :taps_kept] = True
    masks = {"weight": mask.reshape(16, 16, 3, 3)}
    small = graphprune.compact(layer, masks, layout="sparse")
    assert state_bytes(small) == 16 * (kept_bytes + 4 + 4)
    x = torch.randn(2, 16, 7, 6)
    with torch.no_grad():
        graphprune.apply(layer, masks)
        torch.testing.assert_close(small(x), layer(x), atol=1e-5, rtol=1e-5)


def test_latency_refuses_no_repeats():
    with pytest.raises(UserError, match="repeats"):
        latency(nn.Linear(2, 2), torch.zeros(1, 2), repeats=0)
