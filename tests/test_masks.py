"""Masks: how many weights go and which, rescaling, masks applied to a network."""

import re
from fractions import Fraction

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


@settings(deadline=None, max_examples=60)
@given(SCORES, st.integers(0, 16), st.sampled_from(["global", "layer"]))
def test_masks_are_those_of_a_plain_ranking(scores, sixteenths, scope):
    sparsity = Fraction(sixteenths, 16)
    rows = {name: score.tolist() for name, score in scores.items()}
    gone = set()
    if scope == "global":
        places = [(name, i) for name, row in rows.items() for i in range(len(row))]
        gone.update(lowest(places, rows, round(sparsity * len(places))))
    else:
        counts = hamilton([len(row) for row in rows.values()], sparsity)
        for (name, row), count in zip(rows.items(), counts, strict=True):
            gone.update(lowest([(name, i) for i in range(len(row))], rows, count))
    masks = graphprune.prune(scores, float(sparsity), scope)
    assert list(masks) == list(rows)
    for name, row in rows.items():
        assert masks[name].dtype == torch.bool
        assert masks[name].tolist() == [(name, i) not in gone for i in range(len(row))]


def lowest(places, rows, count):
    """The ``count`` places of least score; of equal ones the later."""
    order = sorted(range(len(places)), key=lambda p: (rows[places[p][0]][places[p][1]], -p))
    return [places[p] for p in order[:count]]


def hamilton(sizes, share):
    """Hamilton's apportionment of round(share * sum): whole quotas, then the largest remainders."""
    quotas = [share * size for size in sizes]
    seats = [quota.numerator // quota.denominator for quota in quotas]
    left = round(share * sum(sizes)) - sum(seats)
    for _ in range(left):
        best = max(range(len(sizes)), key=lambda i: (quotas[i] - seats[i], -i))
        seats[best] += 1
    return seats


def test_a_layer_loses_its_share_however_small_its_scores():
    scores = {"small": torch.arange(4.0), "large": torch.arange(10.0, 18.0).reshape(2, 4)}
    whole = graphprune.prune(scores, 0.5, "global")
    assert [int(mask.sum()) for mask in whole.values()] == [0, 6]
    each = graphprune.prune(scores, 0.5, "layer")
    assert each["small"].tolist() == [False, False, True, True]
    assert each["large"].tolist() == [[False] * 4, [True] * 4]


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_the_ends_of_sparsity_keep_and_remove_everything(scope):
    scores = {"a": torch.rand(3, 2), "b": torch.rand(5)}
    for sparsity, kept in ((0.0, True), (1.0, False)):
        masks = graphprune.prune(scores, sparsity, scope)
        assert all(bool((mask == kept).all()) for mask in masks.values())
        assert sparsity_of(masks) == sparsity
    for sparsity in (-1e-9, 1 + 1e-9, float("nan")):
        with pytest.raises(UserError, match=r"sparsity is \S+; allowed: 0 <= sparsity <= 1$"):
            graphprune.prune(scores, sparsity, scope)


def test_a_unit_that_keeps_nothing_is_not_rescaled():
    layer = nn.Linear(3, 2)
    before = layer.weight.detach().clone()
    rescale(layer, {"weight": torch.tensor([[False] * 3, [True, False, False]])})
    assert torch.equal(layer.weight[0], before[0])
    factor = float(before[1].norm() / before[1, 0].abs())
    torch.testing.assert_close(layer.weight[1], factor * before[1])


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
        (
            {},
            0.5,
            "global",
            "^scores are empty; expected one tensor for each prunable parameter$",
        ),
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
@pytest.mark.parametrize("use", [graphprune.apply, rescale])
def test_masks_of_another_network_are_refused(use, masks, message):
    with pytest.raises(UserError, match=message):
        use(nn.Sequential(nn.Linear(3, 2)), masks)


def test_prunable_names_weights_once_and_leaves_norms():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(4, 4), nn.Linear(4, 4))
    model[3].weight = model[2].weight
    assert list(prunable(model)) == ["0.weight", "2.weight"]
    message = "model has no linear or convolution layer; nothing can be pruned"
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        prunable(nn.Sequential(nn.ReLU()))


def test_a_layer_by_itself_is_a_network():
    layer = nn.Linear(2, 2)
    assert prunable(layer) == {"weight": layer.weight}
    graphprune.apply(layer, {"weight": torch.zeros(2, 2, dtype=torch.bool)})
    assert torch.count_nonzero(layer.weight) == 0
