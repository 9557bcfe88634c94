"""What a pruned network saves: bytes counted by hand, latencies of networks that agree."""

from __future__ import annotations

import json
import math

import pytest
import torch
from safetensors.torch import save
from torch import nn

import graphprune
from graphprune.compaction import LAYOUTS, cost, file_size, layouts_of, savings
from graphprune.errors import UserError


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 36, 64), nn.Linear(64, 10)
    )


def masks_of(model, density=0.05):
    torch.manual_seed(1)
    parameters = {name: p for name, p in model.named_parameters() if p.dim() > 1}
    return {name: torch.rand(p.shape) < density for name, p in parameters.items()}


@pytest.mark.parametrize("density", [0.01, 0.2, 0.9])
def test_smallest_is_at_most_every_other_layout(density):
    model = network()
    masks = masks_of(model, density)
    sizes = {
        layout: file_size(graphprune.compact(model, masks, layout=layout)) for layout in LAYOUTS
    }
    header = 1000  # names of the tensors differ between the layouts, their bytes may not
    assert sizes["smallest"] <= min(sizes.values()) + header
    assert layouts_of(graphprune.compact(model, masks, layout="smallest")) == (
        {} if density == 0.9 else {name.removesuffix(".weight"): "sparse" for name in masks}
    )


def test_file_sizes_are_those_of_the_states():
    model = network()
    masks = masks_of(model)
    found = savings(model, masks, (3, 8, 8), batch_sizes=())
    state = model.state_dict()
    blob = save(state)
    assert found.file_size_total == len(blob)
    head = 8 + int.from_bytes(blob[:8], "little")
    assert len(blob) == head + 4 * sum(t.numel() for t in state.values())
    names = json.loads(blob[8:head])
    assert set(state) <= set(names)
    kept = sum(int(mask.sum()) for mask in masks.values())
    # 6 bytes a kept weight, 8 a row, and the header
    assert found.file_size_kept == pytest.approx(6 * kept + 8 * (32 + 64 + 10), abs=1200)
    assert found.latencies == {}


def test_latencies_for_every_batch_size_leave_the_model_as_it_was():
    model = network().train()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    found = savings(model, masks_of(model), (3, 8, 8), batch_sizes=(1, 3), repeats=2)
    assert set(found.latencies) == {1, 3}
    for measured in found.latencies.values():
        for seconds in (measured.dense, measured.masked, measured.compact):
            assert math.isfinite(seconds)
            assert seconds > 0
    assert model.training
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())


def test_everything_kept_costs_what_the_dense_network_costs():
    model = network()
    masks = {name: torch.ones_like(mask) for name, mask in masks_of(model).items()}
    found = savings(model, masks, (3, 8, 8), batch_sizes=())
    assert found.file_size_kept == found.file_size_total


def test_bad_input_is_refused():
    model = network()
    with pytest.raises(UserError, match="batch sizes"):
        savings(model, masks_of(model), (3, 8, 8), batch_sizes=(0,))
    with pytest.raises(UserError, match="shape"):
        savings(model, {"4.weight": torch.ones(2, 2, dtype=torch.bool)}, (3, 8, 8))


def test_a_compact_network_that_differs_is_refused(monkeypatch):
    wrong = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 10)).requires_grad_(False)
    monkeypatch.setattr(cost, "compact", lambda *_, **__: wrong)
    with pytest.raises(UserError, match="differ"):
        savings(network(), {}, (3, 8, 8))


def test_each_latency_is_that_of_its_network(monkeypatch):
    model = network()
    masks = masks_of(model)

    def by_kind(models, _batch, _repeats):
        """1 for a network without zeros, 2 for one with zeros, 3 for one of other layers."""
        kinds = []
        for one in models:
            weights = dict(one.named_parameters())
            whole = "3.weight" in weights and weights["3.weight"].count_nonzero()
            kinds.append(3 if not whole else 1 if whole == weights["3.weight"].numel() else 2)
        return kinds

    monkeypatch.setattr(cost, "latencies", by_kind)
    monkeypatch.setattr(cost, "compact", lambda m, k, **_: compact_of(m, k))
    found = savings(model, masks, (3, 8, 8), batch_sizes=(2,)).latencies[2]
    assert (found.dense, found.masked, found.compact) == (1, 2, 3)


def compact_of(model, masks):
    return graphprune.compact(model, masks, layout="smallest")
