"""Costs against compression: shares by hand, the regime drawn, where compact breaks even."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from graphprune import figures
from graphprune.errors import UserError
from graphprune.relative_cost import break_even, one_regime, relative_cost

SHARES = {  # of dense, at compression 2, 8 and 32
    "rgp": {"latency_1": (2.0, 0.5, 0.25), "latency_64": (0.8, 0.4, 0.2)},
    "random": {"latency_1": (1.0, 1.0, 1.0), "latency_64": (1.5, 1.2, 1.01)},
}
RATIOS = (2, 8, 32)


def units(seeds=2, networks=(("digits", "mlp"),), regime="finetune", spread=0.0):
    rows = []
    for dataset, model in networks:
        for seed in range(seeds):
            for method, shares in SHARES.items():
                for i, ratio in enumerate(RATIOS):
                    wobble = 1.0 + spread * (seed - (seeds - 1) / 2)
                    rows.append(
                        {
                            "dataset": dataset,
                            "model": model,
                            "seed": seed,
                            "regime": regime,
                            "method": method,
                            "compression": ratio,
                            "params_total": 6400,
                            "params_kept": 6400 // ratio,
                            "flops_total": 1000,
                            "flops_kept": 1000 // ratio,
                            "file_size_total": 400,
                            "file_size_kept": 600 // ratio,
                            "latency_1_total": 1e-3,
                            "latency_1_kept": 1e-3 * shares["latency_1"][i] * wobble,
                            "latency_64_total": 4e-3,
                            "latency_64_kept": 4e-3 * shares["latency_64"][i] * wobble,
                        }
                    )
    return pd.DataFrame(rows)


def line(ax, gid):
    return next(found for found in ax.get_lines() if found.get_gid() == gid)


def test_lines_are_mean_shares_over_achieved_compression():
    figure = figures.cost_against_compression(units(spread=0.2))
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["FLOPs", "File size", "Latency, batch 1", "Latency, batch 64"]
    flops, size, one, many = figure.axes
    np.testing.assert_allclose(line(flops, "rgp").get_xydata(), [(2, 0.5), (8, 0.125), (32, 0.031)])
    np.testing.assert_allclose(line(size, "rgp").get_ydata(), [0.75, 0.1875, 0.045])
    np.testing.assert_allclose(line(one, "rgp").get_ydata(), SHARES["rgp"]["latency_1"])
    np.testing.assert_allclose(line(many, "random").get_ydata(), SHARES["random"]["latency_64"])
    for ax in figure.axes:
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
        assert any(set(found.get_ydata()) == {1.0} for found in ax.get_lines())


def test_a_row_a_network_and_only_units_with_a_value_count():
    table = units(networks=(("digits", "mlp"), ("mnist5k", "lenet5")))
    second = table.model == "lenet5"
    table.loc[(table.seed == 1) & ~second, ["latency_1_kept"]] = math.nan
    table.loc[second, ["latency_1_total", "latency_1_kept"]] = math.nan
    figure = figures.cost_against_compression(table)
    assert len(figure.axes) == 8
    np.testing.assert_allclose(line(figure.axes[2], "rgp").get_ydata(), [2.0, 0.5, 0.25])
    assert [text.get_text() for text in figure.axes[6].texts] == ["not measured"]


def test_a_cost_without_any_value_has_no_column():
    table = units()
    table[["latency_1_kept", "latency_1_total"]] = math.nan
    titles = [ax.get_title(loc="left") for ax in figures.cost_against_compression(table).axes]
    assert titles == ["FLOPs", "File size", "Latency, batch 64"]


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
    assert list(found.columns) == ["dataset", "model", "method", "density"]
    assert len(found) == 4
    assert found[found.model == "mlp"].density.isna().all()


def test_bad_input_is_refused():
    with pytest.raises(UserError, match="latency_2_total"):
        break_even(units(), 2)
    with pytest.raises(UserError, match="gain"):
        break_even(units(), 1, gain=1.0)
    with pytest.raises(UserError, match="flops_kept"):
        figures.cost_against_compression(units().drop(columns="flops_kept"))
    empty = units()
    for cost in ("flops", "file_size", "latency_1", "latency_64"):
        empty[f"{cost}_kept"] = math.nan
    with pytest.raises(UserError, match="no cost"):
        figures.cost_against_compression(empty)
    with pytest.raises(UserError, match="empty"):
        break_even(units().iloc[:0], 1)


def test_the_same_table_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        figures.save(figures.cost_against_compression(units()), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
