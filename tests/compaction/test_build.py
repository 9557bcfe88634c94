"""Compact modules: the masked network's outputs from what is kept, in every layout."""

from __future__ import annotations

import pytest
import torch
from compaction_examples import LAYERS, ONLY_BLOCK, mask_of, masked
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import graphprune
from graphprune.compaction import file_size, latencies, latency, layouts_of, savings
from graphprune.errors import UserError
from graphprune.methods.rgp import RGP
from graphprune.regular_graphs.mapping import block_mask


@pytest.mark.parametrize("layer_kind", list(LAYERS))
@pytest.mark.parametrize("layout", ["block", "sparse", "dense", "auto"])
def test_compact_layer_equals_masked_layer(layer_kind, layout):
    torch.manual_seed(0)
    build, shape = LAYERS[layer_kind]
    inputs = torch.randn(shape)
    kinds = ("channels", "weights", "rows_gone", "columns_gone", "both_gone", "nothing_left")
    for kind in kinds:
        layer = build()
        before = layer.weight.detach().clone()
        masks = {"weight": mask_of(kind, tuple(layer.weight.shape))}
        small = graphprune.compact(layer, masks, layout=layout)
        with torch.no_grad():
            expected = masked(layer, masks)(inputs)
        found = small(inputs)
        assert found.shape == expected.shape
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        assert torch.equal(layer.weight, before)
        has_layout = layout == "block" or (layout == "sparse" and layer_kind not in ONLY_BLOCK)
        if kind == "channels" and has_layout:
            assert layouts_of(small) == {"": layout}


@given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 9), st.floats(0.05, 0.95))
@settings(max_examples=25, deadline=None)
def test_any_shape_density_and_batch(inputs, outputs, batch, density):
    layer = nn.Linear(inputs, outputs, dtype=torch.float64)
    masks = {"weight": torch.rand(outputs, inputs) < density}
    x = torch.randn(batch, inputs, dtype=torch.float64)
    with torch.no_grad():
        expected = masked(layer, masks)(x)
    for layout in ("block", "sparse"):
        torch.testing.assert_close(graphprune.compact(layer, masks, layout=layout)(x), expected)


class Network(nn.Module):
    """A residual network with batch norm, pooling and a flatten."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, padding=1)
        self.norm = nn.BatchNorm2d(32)
        self.body = nn.Sequential(
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 32, 3, padding=1)
        )
        self.fc1, self.fc2 = nn.Linear(32 * 16, 64), nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.norm(self.stem(x)))
        x = torch.relu(x + self.body(x))
        x = torch.max_pool2d(x, 2).flatten(1)
        return self.fc2(torch.relu(self.fc1(x)))


@pytest.mark.parametrize("layout", ["auto", "block", "sparse"])
@pytest.mark.parametrize("measured", [False, True])
def test_whole_network(layout, measured):
    torch.manual_seed(1)
    model = Network()
    model(torch.randn(8, 3, 8, 8))  # running statistics other than 0 and 1
    scores = RGP(sparsity=0.85, nodes=16, evaluations=200).run(model).scores
    masks = {name: score > 0 for name, score in scores.items()}
    x = torch.randn(4, 3, 8, 8)
    example = x[:1] if measured else None
    small = graphprune.compact(model, masks, example, layout)
    assert not small.training
    assert model.training
    with torch.no_grad():
        expected = masked(model, masks)(x)
    torch.testing.assert_close(small(x), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(small(x[:1]), expected[:1], atol=1e-5, rtol=1e-5)
    if layout != "auto":
        assert set(layouts_of(small).values()) == {layout}
        assert file_size(small) < 0.5 * file_size(model)
        assert sum(t.numel() for t in small.state_dict().values()) > 0


def test_shared_weights_and_unmasked_layers():
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6), nn.Linear(6, 2))
    model[2].weight = model[0].weight
    masks = {"0.weight": torch.rand(6, 6) < 0.5}
    x = torch.randn(3, 6)
    small = graphprune.compact(model, masks, layout="block")
    with torch.no_grad():
        torch.testing.assert_close(small(x), masked(model, masks)(x))
    assert set(layouts_of(small)) == {"0", "2"}


def test_example_keeps_every_layer_at_most_as_slow_as_measured():
    # 1 % of a wide layer left: no measurement can prefer the dense product
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2048, 2048), nn.ReLU(), nn.Linear(2048, 10))
    mask = torch.zeros(2048, 2048, dtype=torch.bool)
    mask[:20] = True
    x = torch.randn(64, 2048)
    small = graphprune.compact(model, {"0.weight": mask}, example=x)
    assert set(layouts_of(small)) == {"0"}
    assert latency(small, x, repeats=3) > 0.0
    assert len(latencies([small, model], x, repeats=2)) == 2


@pytest.mark.parametrize(
    ("masks", "layout", "message"),
    [
        ({"weight": torch.ones(2, 3, dtype=torch.bool)}, "fast", "layout"),
        ({"weight": torch.ones(3, 2, dtype=torch.bool)}, "auto", "shape"),
        ({"weights": torch.ones(2, 3, dtype=torch.bool)}, "auto", "parameter"),
        ({"weight": torch.ones(2, 3)}, "auto", "dtype"),
    ],
)
def test_bad_input_is_refused(masks, layout, message):
    with pytest.raises(UserError, match=message):
        graphprune.compact(nn.Linear(3, 2), masks, layout=layout)


def test_layouts_chosen_without_an_example():
    torch.manual_seed(0)
    wide = nn.Conv2d(64, 64, 3, padding=1)
    graph = graphprune.regular_graph(8, 2)
    blocky = block_mask(graph, (64, 64, 3, 3))
    scattered = torch.rand(64, 64, 3, 3) < 0.05
    dense = torch.rand(64, 64, 3, 3) < 0.5
    rows = torch.zeros(64, 64, 3, 3, dtype=torch.bool)
    rows[:32] = True
    x = torch.randn(2, 64, 6, 6)
    for mask, expected in ((blocky, "block"), (scattered, "sparse"), (rows, "block")):
        small = graphprune.compact(wide, {"weight": mask})
        assert layouts_of(small) == {"": expected}
        with torch.no_grad():
            reference = masked(wide, {"weight": mask})(x)
        torch.testing.assert_close(small(x), reference, atol=1e-5, rtol=1e-5)
    assert layouts_of(graphprune.compact(wide, {"weight": dense})) == {}


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 2, 64, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(16, 32)

    def forward(self, x, padding=None):
        return self.head(self.encoder(x, src_key_padding_mask=padding))


@pytest.mark.parametrize("layout", ["auto", "smallest", "block", "sparse"])
@pytest.mark.parametrize("measured", [False, True])
def test_attention_stays_dense_and_right_on_torch_s_fast_path(layout, measured):
    torch.manual_seed(0)
    model = Encoder()
    masks = graphprune.prune(graphprune.score(model, "magnitude"), 0.9)
    x = torch.randn(3, 5, 16)
    small = graphprune.compact(model, masks, x if measured else None, layout)
    assert set(layouts_of(small)) <= {"head"}
    if layout == "sparse":
        assert layouts_of(small) == {"head": "sparse"}
    padding = torch.zeros(3, 5, dtype=torch.bool)
    padding[:, 3:] = True
    with torch.no_grad():
        for given in ((x,), (x, padding)):
            expected = masked(model, masks)(*given)
            torch.testing.assert_close(small(*given), expected, atol=1e-5, rtol=1e-5)


class Reads(nn.Module):
    """Reads the weight of a layer that it never calls."""

    def __init__(self):
        super().__init__()
        self.read, self.called = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        return self.called(nn.functional.linear(x, self.read.weight))


def test_with_an_example_layers_that_are_not_called_stay_dense():
    model, x = Reads(), torch.randn(2, 8)
    masks = graphprune.prune(graphprune.score(model, "magnitude"), 0.8)
    small = graphprune.compact(model, masks, x, "sparse")
    assert layouts_of(small) == {"called": "sparse"}
    with torch.no_grad():
        torch.testing.assert_close(small(x), masked(model, masks)(x))
    saved = savings(model, masks, (8,), batch_sizes=())
    assert saved.file_size_kept < saved.file_size_total
