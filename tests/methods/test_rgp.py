"""RGP: which blocks stay, how layers of all kinds are mapped, what is reported."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from rgp_examples import FEW, lenet, mlp
from torch import nn

import graphprune
from graphprune.errors import UserError
from graphprune.methods.rgp import RGP
from graphprune.regular_graphs import aspl
from graphprune.regular_graphs.mapping import block_mask, node_of_channel


class Residual(nn.Module):
    """A block whose branches of equal width are added, behind a stem and a widening shortcut."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.first = nn.Conv2d(16, 40, 3, padding=1)
        self.second = nn.Conv2d(40, 40, 3, padding=1)
        self.shortcut = nn.Conv2d(16, 40, 1)
        self.fc = nn.Linear(40, 10)


def test_density_is_exactly_k_over_n_where_n_divides_the_widths():
    result = RGP(sparsity=0.75, nodes=16, dense_last=False, **FEW).run(mlp())
    assert result.scores["0.weight"].mean().item() == 4 / 16
    assert result.scores["2.weight"].mean().item() == 4 / 16
    assert result.report["degree/0.weight"] == 4
    # ten outputs take ten nodes and the degree nearest a quarter of them
    assert result.report["nodes/4.weight"] == 10
    assert result.report["degree/4.weight"] == 3  # 2.5: of equals the larger


def test_first_convolution_and_last_linear_layer_stay_dense():
    scores = RGP(sparsity=0.5, **FEW).run(lenet()).scores
    assert scores["0.weight"].all()
    assert scores["5.weight"].all()
    assert not scores["1.weight"].all()
    # a perceptron's first layer is mapped: it holds most of the weights
    assert not RGP(sparsity=0.5, **FEW).run(mlp()).scores["0.weight"].all()
    scores = RGP(sparsity=0.5, dense_last=False, **FEW).run(mlp()).scores
    assert not scores["4.weight"].all()


def test_achieved_sparsity_is_what_is_reported():
    result = RGP(sparsity=1 - 1 / 32, seed=2, **FEW).run(lenet())
    kept = sum(float(s.sum()) for s in result.scores.values())
    total = sum(s.numel() for s in result.scores.values())
    assert result.report["sparsity"] == pytest.approx(1 - kept / total, abs=1e-9)
    assert result.report["sparsity"] < 1 - 1 / 32  # the floor: degree 2 on six channels
    assert result.report["sparsity_wanted"] == 1 - 1 / 32
    assert all(set(np.unique(s)) <= {0.0, 1.0} for s in result.scores.values())


def test_report_describes_the_graph_in_use():
    method = RGP(sparsity=0.9, seed=3, nodes=32, evaluations=2000)
    result = method.run(mlp())
    graph = method.graph(32, int(result.report["degree"]))
    assert result.report["aspl"] == aspl(graph)
    assert result.report["aspl"] >= result.report["moore_bound"]
    assert (block_mask(graph, (128, 64), 1, 3) == (result.scores["0.weight"] > 0)).all()
    assert (block_mask(graph, (64, 128), 1, 3) == (result.scores["2.weight"] > 0)).all()


def test_added_branches_divide_their_channels_alike():
    model = Residual()
    scores = RGP(sparsity=0.7, nodes=8, **FEW).run(model).scores
    node = node_of_channel(40, 8, 0)
    for name in ("first", "second", "shortcut"):
        rows = scores[f"{name}.weight"].flatten(1)
        for group in range(8):
            members = rows[torch.from_numpy(node == group)]
            assert (members == members[0]).all()
    # channels of one node read the same, channels of different nodes do not
    assert len(torch.unique(scores["second.weight"].flatten(1), dim=0)) == 8


def test_grouped_and_depthwise_convolutions():
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3),
        nn.Conv2d(16, 16, 3, groups=16),
        nn.Conv2d(16, 32, 3, groups=2),
    )
    result = RGP(sparsity=0.6, **FEW).run(model)
    assert result.scores["1.weight"].all()  # depthwise: one input channel a group, no graph
    assert result.report["nodes/1.weight"] == 0
    grouped = result.scores["2.weight"][:, :, 0, 0]
    assert result.report["nodes/2.weight"] == 8
    k = result.report["degree/2.weight"]
    assert (grouped.sum(1) == k).all()
    assert (grouped[:16] == grouped[16:]).all()


def test_same_seed_same_mask_and_the_model_is_left_alone():
    model = mlp()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    first, again, other = (
        graphprune.score(model, "rgp", sparsity=0.9, seed=s, **FEW) for s in (1, 1, 2)
    )
    assert list(first) == ["0.weight", "2.weight", "4.weight"]
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


def test_sparsity_zero_keeps_everything():
    assert RGP(sparsity=0.0).run(lenet()).report["sparsity"] == 0.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sparsity": 1.0}, "sparsity"),
        ({"sparsity": -0.1}, "sparsity"),
        ({"nodes": 1}, "nodes"),
        ({"degree": 4}, "option of method rgp"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        graphprune.score(mlp(), "rgp", **options)


def test_a_model_without_a_layer_to_map_is_refused():
    with pytest.raises(UserError, match="leaves every layer"):
        RGP().run(nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(16, 1)))
