"""The density of every layer."""

from __future__ import annotations

import pytest
from figure_examples import FAMILIES, layers

from graphprune import figures
from graphprune.errors import UserError


def test_density_is_the_mean_over_seeds_in_the_networks_order() -> None:
    ax, _ = FAMILIES["density"]().axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["conv", "fc", "out"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["2×", "4×"] * 4
    cells = [text.get_text() for text in ax.texts[: 3 * 8]]
    assert cells[:6] == ["100", "30", "2.0", "100", "18", "2.0"]


def test_density_takes_one_network_at_a_time() -> None:
    table = layers().assign(dataset=["a", "b"] * 24)
    with pytest.raises(UserError, match="2 values of 'dataset'"):
        figures.layer_density(table)
