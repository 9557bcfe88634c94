"""Costs of pruned networks relative to the dense ones, and densities below which time is saved."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from graphprune.comparison.columns import NETWORK
from graphprune.errors import UserError, require

Floats = npt.NDArray[np.float64]

KEYS = [*NETWORK, "regime", "method", "compression", "params_total", "params_kept"]


def break_even(units: pd.DataFrame, batch_size: int, gain: float = 0.05) -> pd.DataFrame:
    """The largest density at which the compact network is faster than the dense one, by ``gain``.

    A compact network whose layers all stay dense takes as long as the dense one, up to the noise of
    the stopwatch; a gain above 0 keeps such a network from counting as faster. The quotient
    compact / dense is averaged over the units of a compression ratio, and interpolated between the
    measured ratios, linearly in log–log.

    Parameters
    ----------
    units : as for ``cost_against_compression``, with latency_<batch_size>_total and _kept.
    batch_size : examples in a pass.
    gain : share of the dense latency to be saved, in [0, 1).

    Returns
    -------
    A row per dataset, network, method with column density = params_kept / params_total. If the
    compact network is faster at all measured densities it is the largest of them, if at none NaN.

    >>> break_even(units, 64)  # doctest: +SKIP
      dataset network    method   density
    0 mnist5k lenet5  magnitude  0.0884
    """
    if not 0.0 <= gain < 1.0:
        raise UserError(f"gain is {gain}; allowed: 0 <= gain < 1")
    cost = f"latency_{batch_size}"
    require(units, [*KEYS, f"{cost}_total", f"{cost}_kept"], "break-even")
    drawn = one_regime(units)
    rows = []
    for names, table in drawn.groupby([*NETWORK, "method"], sort=False):
        line = relative_cost(table, cost)
        density = 1.0 / _crossing(line["x"].to_numpy(), line["share"].to_numpy(), 1.0 - gain)
        rows.append({**dict(zip((*NETWORK, "method"), names, strict=True)), "density": density})
    return pd.DataFrame(rows)


def one_regime(units: pd.DataFrame) -> pd.DataFrame:
    """For every network and method the units of one regime: "finetune", else the first by name."""
    first = units.groupby([*NETWORK, "method"])["regime"].transform(
        lambda regimes: "finetune" if (regimes == "finetune").any() else min(regimes)
    )
    return units[units["regime"] == first]


def relative_cost(units: pd.DataFrame, cost: str) -> pd.DataFrame:
    """Mean of ``<cost>_kept / <cost>_total`` by method and ratio asked for, ascending in x.

    Columns method, x (params_total / params_kept, averaged over the same units), share; units
    without a value are left out.

    Raises UserError if a column is missing, or a cost or a number of parameters is not above 0.
    """
    costs = [f"{cost}_kept", f"{cost}_total"]
    needed = ["method", "compression", "params_total", "params_kept", *costs]
    require(units, needed, f"relative {cost}")
    for column in (*needed[2:4], *costs):
        if (units[column] <= 0).any():
            raise UserError(f"relative {cost}: {column} is {units[column].min():g}; allowed: > 0")
    table = pd.DataFrame(
        {
            "method": units["method"],
            "compression": units["compression"],
            "x": units["params_total"] / units["params_kept"],
            "share": (units[f"{cost}_kept"] / units[f"{cost}_total"]).astype(float),
        }
    ).dropna()
    means = table.groupby(["method", "compression"], as_index=False)[["x", "share"]].mean()
    return means.sort_values(["method", "x"], ignore_index=True)[["method", "x", "share"]]


def _crossing(x: Floats, share: Floats, wanted: float) -> float:
    """The x at which ``share`` first falls to ``wanted``, linear in log–log; x ascends."""
    reached = np.flatnonzero(share <= wanted)
    if not reached.size:
        return float("nan")
    i = reached[0]
    if i == 0:
        return float(x[0])
    part = np.log(share[i - 1] / wanted) / np.log(share[i - 1] / share[i])
    return float(x[i - 1] * (x[i] / x[i - 1]) ** part)
