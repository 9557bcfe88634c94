"""Bytes of layers counted by hand, and latencies."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import graphprune
from graphprune.compaction import file_size, latency, measure
from graphprune.compaction.measure import latencies, state_bytes, timings
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


class Clock:
    """A clock that stands still unless a module takes its time."""

    def __init__(self):
        self.now = 1000.0
        self.turns = []

    def __call__(self):
        return self.now

    def module(self, name, seconds):
        """A module whose passes take the given seconds, one after another."""
        clock, left = self, iter(seconds)

        class Slow(nn.Module):
            def forward(self, x):
                assert not torch.is_grad_enabled()
                assert torch.is_inference_mode_enabled()
                clock.turns.append((name, x))
                clock.now += next(left)
                return x

        return Slow()


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(measure, "perf_counter", found)
    return found


def test_each_module_has_its_own_times_without_those_of_the_warmup(clock):
    a, b = clock.module("a", [99, 1, 2, 4]), clock.module("b", [77, 8, 16, 32])
    inputs = torch.zeros(2, 3)
    assert timings([a, b], inputs, repeats=3, warmup=1) == [[1, 2, 4], [8, 16, 32]]
    assert [name for name, _ in clock.turns] == ["a", "b"] * 4  # in turn
    assert all(x is inputs for _, x in clock.turns)


def test_a_latency_is_the_median(clock):
    times = [5, 1, 2, 9, 3]
    a, b = clock.module("a", times), clock.module("b", [10 * t for t in times])
    assert latencies([a, b], torch.zeros(1), repeats=5, warmup=0) == [3, 30]
    assert latency(clock.module("c", [50, 7, 1, 2]), torch.zeros(1), repeats=3, warmup=1) == 2


def test_three_passes_warm_up_and_the_default_repeats_count(clock):
    for measured in (timings, latencies):
        clock.turns.clear()
        measured([clock.module("a", [1.0] * 1000)], torch.zeros(1))
        assert len(clock.turns) == measure.REPEATS + 3
    clock.turns.clear()
    latency(clock.module("a", [1.0] * 1000), torch.zeros(1))
    assert len(clock.turns) == measure.REPEATS + 3


@pytest.mark.parametrize(("repeats", "warmup"), [(0, 0), (-1, 3), (1, -1)])
def test_what_cannot_be_timed_is_refused(repeats, warmup):
    with pytest.raises(UserError) as caught:
        latency(nn.Linear(2, 2), torch.zeros(1, 2), repeats, warmup)
    assert str(caught.value) == (
        f"repeats={repeats}, warmup={warmup}; allowed: repeats >= 1, warmup >= 0"
    )


def test_one_pass_without_warmup_can_be_timed():
    ((seconds,),) = timings([nn.Linear(2, 2)], torch.zeros(1, 2), repeats=1, warmup=0)
    assert seconds > 0


def test_the_size_of_a_file_is_that_of_the_file(tmp_path):
    model = nn.Sequential(nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))
    model[3].weight.data = model[3].weight.data.t().contiguous().t()  # not contiguous
    state = {name: t.contiguous() for name, t in model.state_dict().items()}
    save_file(state, tmp_path / "state.safetensors")
    assert file_size(model) == (tmp_path / "state.safetensors").stat().st_size
    # 8-byte count of batches; 4 bytes each for 24 + 3, 3 * 4 and 24 + 2 numbers
    assert state_bytes(model) == 8 + 4 * (27 + 12 + 26)
    model[3].weight.data = model[3].weight.data.double()
    assert state_bytes(model) == 8 + 4 * (27 + 12 + 26) + 4 * 24


def test_a_tensor_that_two_layers_share_is_in_the_file_twice():
    shared = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    apart = file_size(shared)
    shared[1].weight = shared[0].weight
    assert file_size(shared) == apart
