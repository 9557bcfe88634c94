"""Where compact networks break even, by hand, and the regime that counts."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from cost_examples import units

from graphprune.comparison.relative_cost import break_even, one_regime, relative_cost
from graphprune.errors import UserError


def test_of_two_regimes_only_finetune_counts():
    scratch = units(regime="scratch")
    scratch["latency_1_kept"] *= 10
    only_scratch = scratch[scratch.method == "random"]
    both = pd.concat([units()[units().method == "rgp"], scratch])
    kept = one_regime(both)
    assert set(kept[kept.method == "rgp"].regime) == {"finetune"}
    assert set(kept[kept.method == "random"].regime) == {"scratch"}
    assert len(kept) == len(units()[units().method == "rgp"]) + len(only_scratch)
    shares = relative_cost(kept, "latency_1")
    assert shares[shares.method == "rgp"].share.tolist() == pytest.approx([2.0, 0.5, 0.25])
    assert shares[shares.method == "random"].share.tolist() == pytest.approx([10.0] * 3)


@pytest.mark.parametrize(
    ("regimes", "kept"),
    [
        (("another", "finetune", "scratch"), "finetune"),
        (("scratch", "another"), "another"),
        (("scratch",), "scratch"),
    ],
)
def test_finetune_counts_and_else_the_first_regime_by_name(regimes, kept):
    table = pd.concat([units(regime=regime) for regime in regimes], ignore_index=True)
    assert set(one_regime(table).regime) == {kept}
    assert len(one_regime(table)) == len(units())


def test_shares_are_means_of_quotients_by_the_ratio_asked_for():
    """Kept counts that differ by seed, methods and ratios in any order, one unit not timed."""
    table = units(seeds=3, spread=0.2)
    table["params_kept"] += table.seed
    # what was asked for need not be what was reached: RGP's first ratio is the tightest here
    table.loc[(table.method == "rgp") & (table.compression == 2), "params_kept"] = 100
    table["latency_1_total"] *= 1 + table.seed
    table.loc[(table.seed == 2) & (table.compression == 8), "latency_1_kept"] = math.nan
    found = relative_cost(
        table.sample(frac=1, random_state=1).astype({"seed": object}), "latency_1"
    )
    rows = []
    for method in ("random", "rgp"):
        for ratio in (2, 8, 32):
            mine = table[(table.method == method) & (table.compression == ratio)]
            mine = mine[mine.latency_1_kept == mine.latency_1_kept]
            ends = zip(mine.latency_1_kept, mine.latency_1_total, strict=True)
            share = [kept / total for kept, total in ends]
            x = [6400 / kept for kept in mine.params_kept]
            rows.append([method, sum(x) / len(x), sum(share) / len(share)])
    rows.sort()
    assert rows[-1][1] == 64.0
    assert list(found.columns) == ["method", "x", "share"]
    assert list(found.index) == list(range(6))
    assert found.method.tolist() == [row[0] for row in rows]
    assert found.x.tolist() == pytest.approx([row[1] for row in rows])
    assert found.share.tolist() == pytest.approx([row[2] for row in rows])


def test_break_even_keeps_the_order_of_the_units():
    table = units(networks=(("mnist5k", "lenet5"), ("digits", "mlp")))
    found = break_even(table, 1)
    assert list(zip(found.network, found.method, strict=True)) == [
        ("lenet5", "rgp"), ("lenet5", "random"), ("mlp", "rgp"), ("mlp", "random")
    ]  # fmt: skip


def test_break_even_by_hand():
    found = break_even(units(), 1, gain=0.0).set_index("method").density
    # from 2 at 2x to 1/2 at 8x the share falls as 1/x: it is 1 at 4x
    assert found["rgp"] == pytest.approx(1 / 4)
    assert found["random"] == pytest.approx(1 / 2)  # no slower at the densest measured
    gained = break_even(units(), 1, gain=0.05).set_index("method").density
    assert gained["rgp"] == pytest.approx(0.95 / 4)
    assert math.isnan(gained["random"])
    many = break_even(units(), 64).set_index("method").density
    assert many["rgp"] == pytest.approx(1 / 2)
    assert math.isnan(many["random"])


def test_break_even_has_a_row_for_every_network_and_method():
    table = units(networks=(("digits", "mlp"), ("mnist5k", "lenet5")))
    table.loc[table.model == "mlp", "latency_1_kept"] = math.nan
    found = break_even(table, 1)
    assert list(found.columns) == ["dataset", "network", "method", "density"]
    assert len(found) == 4
    assert found[found.network == "mlp"].density.isna().all()


def test_bad_input_is_refused():
    with pytest.raises(UserError, match=r"^break-even.*latency_2_total"):
        break_even(units(), 2)
    for gain in (1.0, -0.01):
        with pytest.raises(UserError, match=f"^gain is {gain}; allowed: 0 <= gain < 1$"):
            break_even(units(), 1, gain=gain)
    with pytest.raises(UserError, match="empty"):
        break_even(units().iloc[:0], 1)


@pytest.mark.parametrize("column", ["params_kept", "latency_1_total", "latency_1_kept"])
def test_costs_that_cannot_be_divided_are_refused(column):
    broken = units()
    broken[column] = broken[column].astype(float)
    broken.loc[0, column] = 0.0
    with pytest.raises(UserError, match=rf"relative latency_1: {column} is 0; allowed: > 0"):
        relative_cost(broken, "latency_1")
    with pytest.raises(UserError, match=rf"lacks the column '{column}'"):
        relative_cost(units().drop(columns=column), "latency_1")
