"""The sparse layout: threads, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from compaction_examples import LAYERS, mask_of
from torch import nn

import graphprune
from graphprune.compaction import kernels, sparse
from graphprune.errors import UserError


@pytest.mark.parametrize("kind", ["conv_stride", "linear_batch"])
def test_several_threads_sum_the_same(kind, monkeypatch):
    torch.manual_seed(2)
    build, shape = LAYERS[kind]
    layer, x = build(), torch.randn(shape)
    masks = {"weight": mask_of("channels", tuple(layer.weight.shape))}
    small = graphprune.compact(layer, masks, layout="sparse")
    alone = small(x)
    used = []
    parallel = kernels.shifted_sums_parallel
    monkeypatch.setattr(sparse, "PARALLEL_WORK", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(
        kernels, "shifted_sums_parallel", lambda *given: used.append(parallel(*given))
    )
    assert torch.equal(small(x), alone)
    assert used == [None]


def test_sparse_layout_refuses_what_it_cannot_do():
    layer = nn.Linear(6, 6)
    small = graphprune.compact(layer, {"weight": torch.rand(6, 6) < 0.5}, layout="sparse")
    with pytest.raises(UserError, match="without gradients"):
        small(torch.randn(2, 6, requires_grad=True))
    with pytest.raises(UserError, match="float32"):
        small(torch.randn(2, 6, dtype=torch.float64))
