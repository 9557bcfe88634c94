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
    with pytest.raises(UserError, match="latency_2_total"):
        break_even(units(), 2)
    with pytest.raises(UserError, match="gain"):
        break_even(units(), 1, gain=1.0)
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
