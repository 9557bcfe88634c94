"""Masks: how many weights go and which, rescaling, masks applied to a network."""

import re
from fractions import Fraction

import numpy as np
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
        with pytest.raises(
            UserError, match=r"sparsity is \S+; allowed: a number, 0 <= sparsity <= 1$"
        ):
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
        ({"w": torch.ones(2)}, "0.5", "global", "sparsity is '0.5'; allowed: a number, 0 <= spars"),
        ({"w": torch.ones(2)}, float("nan"), "layer", "sparsity is nan"),
        ({"w": torch.ones(2)}, float("inf"), "global", "sparsity is inf"),
        ({"w": torch.ones(2)}, True, "global", "sparsity is True"),
        ({"w": torch.ones(2)}, np.bool_(False), "global", "sparsity is False"),
        ({"w": torch.ones(2)}, None, "global", "sparsity is None"),
        ({"w": np.ones(2)}, 0.5, "global", "scores of w are ndarray; expected a torch.Tensor"),
        (
            {"w": torch.ones(2, dtype=torch.complex64)},
            0.5,
            "global",
            "dense tensor of real numbers",
        ),
        (
            {"w": torch.ones(2, device="meta")},
            0.5,
            "global",
            "scores of w are .* on meta; expected",
        ),
        ({"w": torch.eye(2).to_sparse()}, 0.5, "global", "scores of w are .*sparse_coo, on cpu"),
        ([torch.ones(2)], 0.5, "global", "scores are list; expected a dictionary of tensors"),
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
        ({"0.weight": np.ones((2, 3), bool)}, "is ndarray; expected a torch.Tensor"),
        (
            {"0.weight": torch.ones(2, 3, device="meta").bool()},
            "0.weight or its mask is on the meta",
        ),
        ([], "masks are list; expected a dictionary"),
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


class Tied(nn.Module):
    """A decoder that shares the weight of an embedding, which parameters() names first."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Embedding(5, 4), nn.Linear(4, 5)
        self.decoder.weight = self.encoder.weight


@pytest.mark.parametrize("name", ["magnitude", "random", "rgp"])
def test_what_score_names_apply_accepts_where_weights_are_tied(name):
    model = Tied()
    options = {"sparsity": 0.5, "dense_last": False} if name == "rgp" else {}
    masks = graphprune.prune(graphprune.score(model, name, **options), 0.5)
    assert list(masks) == ["decoder.weight"]
    rescale(model, masks)
    graphprune.apply(model, masks)
    assert int((model.encoder.weight == 0).sum()) == 10


def test_a_shared_weight_goes_by_any_of_its_names_but_by_one():
    model, mask = Tied(), torch.rand(5, 4) < 0.5
    graphprune.apply(model, {"encoder.weight": mask})
    assert torch.equal(model.decoder.weight != 0, mask)
    both = {"encoder.weight": mask, "decoder.weight": mask}
    with pytest.raises(
        UserError, match=r"shared weight twice, encoder\.weight and decoder\.weight"
    ):
        graphprune.apply(model, both)


def test_numpy_s_sparsity_is_a_number():
    scores = {"w": torch.arange(8.0)}
    assert removed(graphprune.prune(scores, np.float32(0.5))) == 4
    assert removed(graphprune.prune(scores, np.int64(1))) == 8


def test_query_key_and_value_are_three_layers_of_the_scope_layer():
    # by hand: the rows of the query are the least of all, and yet each part loses its half
    score = torch.cat([torch.rand(4, 4), 10 + torch.rand(4, 4), 20 + torch.rand(4, 4)])
    scores = {"a.in_proj_weight": score, "b.weight": torch.rand(2, 3)}
    masks = graphprune.prune(scores, 0.5, "layer")
    for part, kept in zip(score.split(4), masks["a.in_proj_weight"].split(4), strict=True):
        assert torch.equal(kept, part > part.flatten().sort().values[7])
    assert removed({"b": masks["b.weight"]}) == 3
    joint = graphprune.prune(scores, 0.5)["a.in_proj_weight"]
    assert int(joint[:4].sum()) == 0
    assert int(joint[8:].sum()) == 16


def supported(width):
    """Modules that take and give (n, tokens, width)."""
    leaves = {
        "linear": lambda: nn.Linear(width, width),
        "convolution": lambda: nn.Conv1d(3, 3, 3, padding=1),
        "norm": lambda: nn.LayerNorm(width),
        "activation": nn.GELU,
        "encoder": lambda: nn.TransformerEncoderLayer(width, 2, 2 * width, 0.0, batch_first=True),
    }
    one = st.sampled_from(sorted(leaves)).map(lambda kind: leaves[kind]())
    tree = st.recursive(
        one, lambda inner: st.lists(inner, min_size=1, max_size=3).map(lambda m: nn.Sequential(*m)),
        max_leaves=6,
    )  # fmt: skip
    return st.tuples(tree, st.booleans()).map(lambda pair: _closed(*pair, width))


def _closed(tree, shared, width):
    model = nn.Sequential(tree, nn.Linear(width, width), nn.Flatten(), nn.Linear(3 * width, 4))
    if shared:
        model[1].weight = next(
            (m.weight for m in tree.modules() if type(m) is nn.Linear and m.in_features == width
             and m.out_features == width), model[1].weight,
        )  # fmt: skip
    return model


@settings(deadline=None, max_examples=40)
@given(
    supported(4),
    st.floats(0, 1),
    st.sampled_from(["global", "layer"]),
    st.sampled_from(["magnitude", "random", "snip"]),
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
)
def test_any_tree_of_supported_modules_loses_exactly_what_was_asked_for(
    model, sparsity, scope, method, dtype
):
    model.to(dtype)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():  # no weight is 0 by chance, nor by rounding
            drawn = 0.05 + torch.rand(parameter.shape, generator=generator)
            parameter.copy_(drawn.to(dtype))
    inputs = torch.rand(6, 3, 4, generator=generator).to(dtype)
    scores = graphprune.score(model, method, inputs, torch.arange(6) % 4)
    graphprune.apply(model, graphprune.prune(scores, sparsity, scope))
    # all matrices, each once: independent of what calls itself prunable
    matrices = {id(p): p for p in model.parameters() if p.dim() > 1}.values()
    total = sum(p.numel() for p in matrices)
    assert sum(int((p == 0).sum()) for p in matrices) == round(sparsity * total)


def test_a_layer_by_itself_is_a_network():
    layer = nn.Linear(2, 2)
    assert prunable(layer) == {"weight": layer.weight}
    graphprune.apply(layer, {"weight": torch.zeros(2, 2, dtype=torch.bool)})
    assert torch.count_nonzero(layer.weight) == 0
