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
    assert all(module.training for module in model.modules())
    assert all(p.requires_grad for p in model.parameters())
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())


def test_each_latency_is_that_of_its_network(monkeypatch):
    model = network().train()
    masks = masks_of(model)
    parameters = dict(model.named_parameters())
    batches, compacted = [], []

    def compact(*given, **options):
        small = graphprune.compact(*given, **options)
        if options.keys() == {"example"}:
            compacted.append((small, options["example"]))
        return small

    def fake(models, inputs, repeats):
        """1 for the dense network, 2 for the masked one, 3 for the compact one."""
        assert repeats == 7
        # its layouts are those for the very batch that is timed
        assert compacted[-1][1] is inputs
        batches.append(inputs)
        return [kind_of(timed) + len(inputs) / 1000 for timed in models]

    def kind_of(timed):
        assert not timed.training
        assert not any(p.requires_grad for p in timed.parameters())
        if timed is compacted[-1][0]:
            return 3
        state = dict(timed.named_parameters())
        if all(torch.equal(state[name], parameters[name]) for name in masks):
            return 1
        assert all(torch.equal(state[name], parameters[name] * masks[name]) for name in masks)
        return 2

    monkeypatch.setattr(cost, "compact", compact)
    monkeypatch.setattr(cost, "latencies", fake)
    found = savings(model, masks, (3, 8, 8), batch_sizes=(64, 1), repeats=7)
    assert found.latencies == {
        64: cost.Latencies(dense=1.064, masked=2.064, compact=3.064),
        1: cost.Latencies(dense=1.001, masked=2.001, compact=3.001),
    }
    savings(model, masks, (3, 8, 8), batch_sizes=(64, 1), repeats=7, seed=0)
    savings(model, masks, (3, 8, 8), batch_sizes=(64, 1), repeats=7, seed=1)
    assert [tuple(batch.shape) for batch in batches] == [(64, 3, 8, 8), (1, 3, 8, 8)] * 3
    assert all(0 <= batch.min() < batch.max() < 1 for batch in batches)
    assert all(torch.equal(batches[i], batches[i + 2]) for i in range(2))
    assert not any(torch.equal(batches[i], batches[i + 4]) for i in range(2))


def test_batches_are_of_the_networks_dtype_and_timed_at_the_default_sizes(monkeypatch):
    seen = []
    monkeypatch.setattr(
        cost, "latencies", lambda models, inputs, *_: seen.append(inputs) or [1.0] * len(models)
    )
    model = network().double()
    found = savings(model, masks_of(model), (3, 8, 8))
    assert [(len(batch), batch.dtype) for batch in seen] == [(n, torch.float64) for n in (1, 64)]
    assert list(found.latencies) == [1, 64]


@pytest.mark.parametrize(
    ("scale", "difference", "allowed"),
    [(0.0, 0.9e-5, True), (0.0, 1.2e-5, False), (100.0, 0.9e-3, True), (100.0, 1.2e-3, False)],
)
def test_outputs_may_differ_by_rounding_alone(monkeypatch, scale, difference, allowed):
    """1e-5, or 1e-5 of the largest output where that is above 1."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).double()
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].bias.copy_(torch.tensor([-scale, scale / 2]))
    right = graphprune.compact

    def off(*given, **options):
        small = right(*given, **options)
        inner = small.forward
        small.forward = lambda x: inner(x) + torch.tensor([0.0, -difference])
        return small

    monkeypatch.setattr(cost, "compact", off)
    masks = {"1.weight": torch.ones(2, 4, dtype=torch.bool)}
    if allowed:
        savings(model, masks, (1, 2, 2), batch_sizes=())
        return
    with pytest.raises(UserError) as caught:
        savings(model, masks, (1, 2, 2), batch_sizes=())
    assert str(caught.value) == (
        f"compact network's outputs differ by {difference:.3g} from the masked one's; "
        f"allowed: {max(1.0, scale) * 1e-5:.3g}"
    )


@pytest.mark.parametrize("wrong", ["smallest", "fastest"])
def test_outputs_that_are_no_numbers_are_refused(monkeypatch, wrong):
    right = graphprune.compact

    def spoilt(*given, **options):
        small = right(*given, **options)
        inner = small.forward
        if ("layout" in options) == (wrong == "smallest"):
            small.forward = lambda x: inner(x) * float("nan")
        return small

    monkeypatch.setattr(cost, "compact", spoilt)
    model = network()
    with pytest.raises(UserError, match="outputs differ by nan"):
        savings(model, masks_of(model), (3, 8, 8), batch_sizes=(1,), repeats=1)


def test_everything_kept_costs_what_the_dense_network_costs():
    model = network()
    masks = {name: torch.ones_like(mask) for name, mask in masks_of(model).items()}
    found = savings(model, masks, (3, 8, 8), batch_sizes=())
    assert found.file_size_kept == found.file_size_total


def test_bad_input_is_refused():
    model = network()
    with pytest.raises(UserError) as caught:
        savings(model, masks_of(model), (3, 8, 8), batch_sizes=(1, 0))
    assert str(caught.value) == "batch sizes are [1, 0]; allowed: each at least 1"
    with pytest.raises(UserError, match="shape"):
        savings(model, {"4.weight": torch.ones(2, 2, dtype=torch.bool)}, (3, 8, 8))


def test_a_compact_network_that_differs_is_refused(monkeypatch):
    wrong = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 10)).requires_grad_(False)
    monkeypatch.setattr(cost, "compact", lambda *_, **__: wrong)
    with pytest.raises(UserError, match="differ"):
        savings(network(), {}, (3, 8, 8))
