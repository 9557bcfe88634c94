"""Costs against compression: shares by hand, one row a network, what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cost_examples import SHARES, units

from graphprune import figures
from graphprune.errors import UserError


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


def test_the_same_table_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        figures.save(figures.cost_against_compression(units()), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_bad_input_is_refused():
    with pytest.raises(UserError, match="flops_kept"):
        figures.cost_against_compression(units().drop(columns="flops_kept"))
    empty = units()
    for cost in ("flops", "file_size", "latency_1", "latency_64"):
        empty[f"{cost}_kept"] = math.nan
    with pytest.raises(UserError, match="no cost"):
        figures.cost_against_compression(empty)
