"""Regular graphs mapped to layers: channels to nodes, masks, the plan for a density."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rgp_examples import lenet, mlp
from torch import nn

from graphprune.errors import UserError
from graphprune.regular_graphs import regular_graph
from graphprune.regular_graphs.mapping import (
    block_mask,
    density_of,
    graph_masks,
    node_of_channel,
    plan,
)


@given(st.integers(1, 200), st.integers(1, 64), st.integers(0, 3))
@settings(max_examples=50, deadline=None)
def test_channels_are_divided_as_evenly_as_possible(channels, nodes, seed):
    if nodes > channels:
        with pytest.raises(UserError, match="channels"):
            node_of_channel(channels, nodes, seed)
        return
    found = node_of_channel(channels, nodes, seed)
    sizes = np.bincount(found, minlength=nodes)
    assert len(found) == channels
    assert sizes.sum() == channels
    assert set(sizes) <= {channels // nodes, -(-channels // nodes)}
    assert (np.diff(found) >= 0).all()
    assert (found == node_of_channel(channels, nodes, seed)).all()


def test_the_remainder_is_spread_by_the_seed():
    larger = {tuple(np.bincount(node_of_channel(100, 64, seed))) for seed in range(5)}
    assert len(larger) == 5
    # not simply the first nodes
    assert np.bincount(node_of_channel(100, 64, 0))[:36].min() == 1


@given(
    st.integers(3, 12),
    st.integers(0, 30),
    st.integers(0, 30),
    st.sampled_from([(), (3, 3), (2,)]),
    st.integers(1, 3),
)
@settings(max_examples=25, deadline=None)
def test_mask_keeps_exactly_the_blocks_of_the_adjacency(n, more_out, more_in, kernel, groups):
    adjacency = regular_graph(n, 2, 0)
    adjacency = adjacency[np.random.default_rng(n).permutation(n)]  # not symmetric: i ← j matters
    out, inputs = n + more_out, n + more_in
    mask = block_mask(adjacency, (out * groups, inputs, *kernel), groups, seed=4)
    assert mask.shape == (out * groups, inputs, *kernel)
    rows, columns = node_of_channel(out, n, 4), node_of_channel(inputs, n, 4)
    for a in range(out * groups):
        for b in range(inputs):
            assert (mask[a, b] == bool(adjacency[rows[a % out], columns[b]])).all()


@pytest.mark.parametrize("network", [mlp, lenet])
@pytest.mark.parametrize("ratio", [2, 4, 8, 16, 32])
def test_no_other_common_degree_comes_nearer_the_wanted_density(network, ratio):
    chosen = plan(network(), 1 - 1 / ratio)
    best = abs(density_of(chosen) - 1 / ratio)
    dense = {layer.parameter for layer in chosen if not layer.nodes}
    for k in range(2, 64):
        kept = total = 0.0
        for layer in chosen:
            degree = layer.nodes
            if layer.parameter not in dense:
                possible = [d for d in range(2, layer.nodes + 1) if d * layer.nodes % 2 == 0]
                if layer.nodes not in possible:
                    possible.append(layer.nodes)
                degree = min(possible, key=lambda d: (abs(d - k * layer.nodes / 64), -d))
            size = np.prod(layer.shape)
            kept += size * (degree / layer.nodes if layer.nodes else 1.0)
            total += size
        assert best <= abs(kept / total - 1 / ratio) + 1e-12


def test_one_graph_for_every_layer_wide_enough():
    graph = regular_graph(20, 4, 0, evaluations=100)
    masks = graph_masks(lenet(), graph, seed=1)
    assert masks["0.weight"].all()
    assert masks["1.weight"].all()  # six inputs: narrower than the graph
    assert torch.equal(masks["3.weight"], block_mask(graph, (120, 256), seed=1))
    assert masks["5.weight"].all()


def test_attention_maps_the_graph_to_query_key_and_value():
    model = nn.Sequential(nn.Conv1d(4, 8, 1), nn.MultiheadAttention(8, 2), nn.Linear(8, 3))
    graph = regular_graph(8, 2)
    masks = graph_masks(model, graph)
    joint = masks["1.in_proj_weight"]
    assert joint.shape == (24, 8)
    for part in joint.split(8):  # each is the adjacency itself, one channel a node
        assert np.array_equal(part.numpy(), np.asarray(graph, bool))
    assert np.array_equal(masks["1.out_proj.weight"].numpy(), np.asarray(graph, bool))
    # the first convolution and the last linear layer stay, as in any network
    assert masks["0.weight"].all()
    assert masks["2.weight"].all()
    layers = {layer.parameter: layer for layer in plan(model, 0.5, dense_last=True)}
    assert layers["1.in_proj_weight"].nodes == layers["1.out_proj.weight"].nodes == 8
    assert layers["1.in_proj_weight"].degree == layers["1.out_proj.weight"].degree


def test_attention_with_own_widths_is_mapped_projection_by_projection():
    masks = graph_masks(nn.MultiheadAttention(8, 2, kdim=9, vdim=7), regular_graph(8, 3))
    shares = {name: float(mask.float().mean()) for name, mask in masks.items()}
    # the narrow one stays dense, and so does the last
    assert shares["q_proj_weight"] == 3 / 8
    assert shares["k_proj_weight"] == pytest.approx(3 / 8, abs=0.01)
    assert shares["v_proj_weight"] == shares["out_proj.weight"] == 1.0
