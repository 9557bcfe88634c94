"""Compact modules: the masked network's outputs from what is kept, in every layout."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import graphprune
from graphprune.compaction import file_size, kernels, latencies, latency, layouts_of, sparse
from graphprune.compaction.structure import blocks_of, channel_support
from graphprune.errors import UserError
from graphprune.methods.rgp import RGP
from graphprune.regular_graphs.mapping import block_mask

LAYERS = {
    "linear": (lambda: nn.Linear(20, 12), (3, 20)),
    "linear_batch": (lambda: nn.Linear(20, 12, bias=False), (17, 20)),
    "linear_tokens": (lambda: nn.Linear(20, 12), (2, 5, 20)),
    "conv": (lambda: nn.Conv2d(8, 12, 3, padding=1), (2, 8, 9, 7)),
    "conv_stride": (
        lambda: nn.Conv2d(8, 12, 3, stride=2, padding=1, dilation=2, bias=False),
        (2, 8, 9, 10),
    ),
    "conv_uneven": (lambda: nn.Conv2d(8, 12, (3, 2), stride=(1, 2), groups=2), (3, 8, 9, 10)),
    "conv_reflect": (lambda: nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect"), (1, 8, 6, 6)),
    "conv_same": (lambda: nn.Conv2d(8, 12, (5, 3), padding="same"), (2, 8, 6, 6)),
    "depthwise": (lambda: nn.Conv2d(8, 8, 3, groups=8), (2, 8, 6, 6)),
    "pointwise": (lambda: nn.Conv2d(8, 12, 1, stride=3), (2, 8, 9, 7)),
    "conv1d": (lambda: nn.Conv1d(8, 12, 3), (2, 8, 9)),
    "conv3d": (lambda: nn.Conv3d(4, 6, 2), (2, 4, 5, 5, 5)),
}
ONLY_BLOCK = ("conv1d", "conv3d")


def channelwise(shape, density):
    kept = torch.rand(shape[:2]) < density
    return kept.reshape(*shape[:2], *[1] * (len(shape) - 2)).expand(shape).clone()


def mask_of(kind, shape):
    mask = torch.ones(shape, dtype=torch.bool)
    if kind == "channels":
        mask = channelwise(shape, 0.4)
    elif kind == "weights":
        mask = torch.rand(shape) < 0.3
    elif kind == "rows_gone":
        mask[::2] = False
    elif kind == "columns_gone":
        mask[:, ::2] = shape[1] == 1
    elif kind == "both_gone":
        mask = channelwise(shape, 0.5)
        mask[1:4] = False
    elif kind == "nothing_left":
        mask[:] = False
    return mask


def masked(model, masks):
    result = copy.deepcopy(model).eval()
    graphprune.apply(result, masks)
    return result


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


def test_sparse_layout_refuses_what_it_cannot_do():
    layer = nn.Linear(6, 6)
    small = graphprune.compact(layer, {"weight": torch.rand(6, 6) < 0.5}, layout="sparse")
    with pytest.raises(UserError, match="without gradients"):
        small(torch.randn(2, 6, requires_grad=True))
    with pytest.raises(UserError, match="float32"):
        small(torch.randn(2, 6, dtype=torch.float64))


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


def test_latency_refuses_no_repeats():
    with pytest.raises(UserError, match="repeats"):
        latency(nn.Linear(2, 2), torch.zeros(1, 2), repeats=0)


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
