"""Masks: how many weights go and which, rescaling, masks applied to a network."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import graphprune
from graphprune.errors import UserError
from graphprune.masks import prunable, rescale, sparsity_of

SCORES = st.lists(
    st.lists(st.integers(-3, 3), min_size=1, max_size=12), min_size=1, max_size=4
).map(lambda rows: {f"w{i}": torch.tensor(row, dtype=torch.float64) for i, row in enumerate(rows)})


def removed(masks):
    return sum(int((~mask).sum()) for mask in masks.values())


@settings(deadline=None, max_examples=60)
@given(SCORES, st.floats(0, 1), st.sampled_from(["global", "layer"]))
def test_removes_exactly_the_requested_number(scores, sparsity, scope):
    total = sum(score.numel() for score in scores.values())
    masks = graphprune.prune(scores, sparsity, scope)
    assert removed(masks) == round(sparsity * total)
    if scope == "layer":
        for mask in masks.values():
            assert abs(int((~mask).sum()) - sparsity * mask.numel()) < 1 + 1e-9


@settings(deadline=None, max_examples=60)
@given(SCORES, st.floats(0, 1))
def test_no_kept_weight_scores_below_a_removed_one(scores, sparsity):
    masks = graphprune.prune(scores, sparsity)
    kept = [float(s) for n, m in masks.items() for s in scores[n][m]]
    gone = [float(s) for n, m in masks.items() for s in scores[n][~m]]
    if kept and gone:
        assert min(kept) >= max(gone)


def test_ties_go_by_position_across_tensors():
    scores = {"a": torch.ones(2, 2), "b": torch.ones(2)}
    masks = graphprune.prune(scores, 0.5)
    assert masks["a"].tolist() == [[True, True], [True, False]]
    assert masks["b"].tolist() == [False, False]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([0.3, 0.7, 0.97]))
def test_rescaling_keeps_the_norm_of_every_unit_that_keeps_a_weight(seed, sparsity):
    torch.manual_seed(seed)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(4, 6, 3, groups=2), torch.nn.Flatten(), torch.nn.Linear(6, 3)
    ).double()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    masks = graphprune.prune(graphprune.score(model, "random", seed=seed), sparsity)
    rescale(model, masks)
    graphprune.apply(model, masks)
    for name, p in model.named_parameters():
        if name not in masks:
            assert torch.equal(p, before[name])
            continue
        for unit, old, mask in zip(p.detach(), before[name], masks[name], strict=True):
            assert (unit[~mask] == 0).all()
            if mask.any():
                # by hand: sums of squares agree, and every kept weight by the same factor
                assert float((unit**2).sum()) == pytest.approx(float((old**2).sum()), rel=1e-12)
                ratios = unit[mask] / old[mask]
                assert float(ratios.max() - ratios.min()) < 1e-9 * float(ratios.max())


def test_infinite_scores_rank_and_nan_is_refused():
    masks = graphprune.prune({"w": torch.tensor([-torch.inf, 0.0, torch.inf])}, 1 / 3)
    assert masks["w"].tolist() == [False, True, True]
    with pytest.raises(UserError, match=r"scores of w contain NaN"):
        graphprune.prune({"w": torch.tensor([torch.nan])}, 0.0)


@pytest.mark.parametrize(
    ("scores", "sparsity", "scope", "message"),
    [
        ({"w": torch.ones(2)}, 1.5, "global", "sparsity is 1.5"),
        ({"w": torch.ones(2)}, 0.5, "filter", "scope is 'filter'; allowed: global, layer"),
        ({}, 0.5, "global", "scores are empty"),
    ],
)
def test_bad_input_is_refused(scores, sparsity, scope, message):
    with pytest.raises(UserError, match=message):
        graphprune.prune(scores, sparsity, scope)


def test_apply_sets_exact_positive_zeros_and_nothing_else():
    model = nn.Sequential(nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight.fill_(-1.5)
    mask = torch.tensor([[True, False, True], [False, True, True]])
    graphprune.apply(model, {"0.weight": mask})
    assert torch.equal(model[0].weight.detach(), torch.where(mask, -1.5, 0.0))
    assert not torch.signbit(model[0].weight[~mask]).any()
    assert sparsity_of({"0.weight": mask}) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({"1.weight": torch.ones(2, 3, dtype=torch.bool)}, "mask for parameter is '1.weight'"),
        ({"0.weight": torch.ones(3, 2, dtype=torch.bool)}, r"shape \(3, 2\); expected \(2, 3\)"),
        ({"0.weight": torch.ones(2, 3)}, "dtype torch.float32; expected torch.bool"),
    ],
)
def test_apply_refuses_masks_of_another_network(masks, message):
    with pytest.raises(UserError, match=message):
        graphprune.apply(nn.Sequential(nn.Linear(3, 2)), masks)


def test_prunable_names_weights_once_and_leaves_norms():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(4, 4), nn.Linear(4, 4))
    model[3].weight = model[2].weight
    assert list(prunable(model)) == ["0.weight", "2.weight"]
    with pytest.raises(UserError, match="no linear or convolution layer"):
        prunable(nn.Sequential(nn.ReLU()))
