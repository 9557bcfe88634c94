"""The figure of ProbMask's keep probabilities."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from graphprune.errors import UserError
from graphprune.figures.probabilities import keep_probabilities
from graphprune.probmask.final import decidedness


def reports() -> pd.DataFrame:
    generator = torch.Generator().manual_seed(0)
    rows = []
    for ratio in (50.0, 2.0):
        for seed in (0, 1):
            s = (torch.rand(4000, generator=generator) < 1 / ratio).float()
            s[:40] = torch.rand(40, generator=generator)
            rows.append({"compression": ratio, "seed": seed, **decidedness(s)})
    return pd.DataFrame(rows)


def test_bars_are_the_shares_and_the_titles_the_entropies() -> None:
    table = reports()
    figure = keep_probabilities(table, "digits · mlp")
    assert [ax.get_title("left").split("\n")[0] for ax in figure.axes] == ["2×", "50×"]
    for ax, ratio in zip(figure.axes, (2.0, 50.0), strict=True):
        mine = table[table.compression == ratio]
        heights = [patch.get_height() for patch in ax.patches]
        expected = [100 * mine[f"probability_histogram_{i}"].mean() for i in range(10)]
        np.testing.assert_allclose(heights, expected)
        assert sum(heights) == pytest.approx(100)
        assert [patch.get_x() for patch in ax.patches] == pytest.approx(np.arange(10) / 10)
        assert f"{mine.entropy_mean.mean():.2g} bit" in ax.get_title("left")
        assert ax.get_ylim()[0] <= min(heights)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UserError, match="entropy_mean"):
        keep_probabilities(reports().drop(columns="entropy_mean"))
    with pytest.raises(UserError, match="expected rows"):
        keep_probabilities(reports().iloc[:0])
