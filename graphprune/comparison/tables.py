"""The comparison of all units: one tidy table, and one of their layers."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from graphprune.comparison.columns import KEY, NETWORK, UNIT_LABELS, UNIT_METRICS
from graphprune.comparison.relative_cost import break_even
from graphprune.errors import UserError
from graphprune.statistics import interval

BATCH_SIZES = (1, 64)
LATENCIES = [f"latency_{size}_{end}" for size in BATCH_SIZES for end in ("total", "kept")]
COLUMNS = [*UNIT_LABELS, *UNIT_METRICS, *LATENCIES]


def tables(
    paths: Iterable[str | Path], latencies: Iterable[str | Path] = ()
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The units' ``metrics.json`` files as two tables, sorted by unit.

    latencies: files of measured latencies, one for each network that was timed; their columns are
    the unit's key, batch_size, dense and compact (seconds a pass).

    Returns
    -------
    units : a row per unit with the columns ``COLUMNS``; accuracies and sparsity in [0, 1], times
        in seconds, FLOPs per example, file sizes in bytes; latency_<batch size>_total of the dense
        and _kept of the compact network, NaN for units that were not timed.
    layers : a row per unit and layer: the unit's key, layer, density in [0, 1], flops_kept.

    Raises UserError naming a file that does not hold a unit's metrics.
    """
    units, layers = [], []
    for path in paths:
        try:
            metrics = json.loads(Path(path).read_text())
            units.append({column: metrics[column] for column in (*UNIT_LABELS, *UNIT_METRICS)})
            key = {column: metrics[column] for column in UNIT_LABELS}
            layers += [{**key, **layer} for layer in metrics["layers"]]
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{path}: not the metrics of a unit ({error!r})") from error
    table = _with_latencies(pd.DataFrame(units), latencies)
    return (
        table[COLUMNS].sort_values(KEY, ignore_index=True),
        pd.DataFrame(layers).sort_values(KEY, ignore_index=True, kind="stable"),
    )


def _with_latencies(units: pd.DataFrame, paths: Iterable[str | Path]) -> pd.DataFrame:
    """``units`` with the columns ``LATENCIES``."""
    rows: dict[tuple[object, ...], dict[str, object]] = {}
    for path in paths:
        for row in pd.read_csv(path).to_dict("records"):
            unit = rows.setdefault(tuple(row[k] for k in KEY), {k: row[k] for k in KEY})
            unit[f"latency_{row['batch_size']}_total"] = row["dense"]
            unit[f"latency_{row['batch_size']}_kept"] = row["compact"]
    if not rows:
        return units.assign(**dict.fromkeys(LATENCIES, float("nan")))
    return units.merge(pd.DataFrame(list(rows.values())), "left", KEY, validate="1:1")


def summary(units: pd.DataFrame) -> pd.DataFrame:
    """Accuracy after fine-tuning over the seeds, a row per network, regime, method and ratio.

    Columns: dataset, network, regime, method, compression (asked for), achieved (mean of what was
    reached), seeds (how many), accuracy and half_width (mean and half the 95 % interval, in
    percent; the latter NaN for a single seed).
    """
    rows = []
    columns = [*NETWORK, "regime", "method", "compression"]
    for key, group in units.groupby(columns, sort=False):
        mean, half = interval(100 * group["accuracy_finetuned"])
        achieved = (group["params_total"] / group["params_kept"]).mean()
        rows.append([*key, achieved, len(group), mean, half])
    return pd.DataFrame(rows, columns=[*columns, "achieved", "seeds", "accuracy", "half_width"])


def summary_page(units: pd.DataFrame) -> str:
    """The summary as one HTML page: a table per network, methods by compression ratio.

    Below it, where latencies were measured: the density below which a compact network is faster.
    """
    table = summary(units)
    index = ["regime", "method"] if table["regime"].nunique() > 1 else ["method"]
    parts = []
    for (dataset, network), mine in table.groupby(NETWORK, sort=False):
        cells = mine.assign(text=[_cell(row) for row in mine.itertuples()])
        grid = cells.pivot_table(
            index=index, columns="compression", values="text", aggfunc="first", sort=False
        )
        grid.columns = [f"compression {ratio:g}" for ratio in grid.columns]
        dense = units[(units.dataset == dataset) & (units.network == network)]
        mean, half = interval(100 * dense.drop_duplicates("seed")["accuracy_dense"])
        heading = html.escape(f"{dataset} · {network}: dense {_percent(mean, half)}")
        parts.append(f"<h2>{heading}</h2>{grid.to_html(index_names=False, border=0)}")
        parts.append(_break_even(dense))
    return _PAGE.format(body="".join(parts))


_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Summary</title><style>
body {{ font: 15px/1.5 sans-serif; margin: 2em auto; max-width: 60em; color: #222 }}
table {{ border-collapse: collapse }} th, td {{ padding: .3em .8em; text-align: right }}
tbody tr {{ border-top: 1px solid #ddd }} tbody th {{ text-align: left }} h2 {{ font-size: 1.1em }}
</style></head><body><h1>Test accuracy after fine-tuning</h1>
<p>Mean over the seeds ± half the 95 % interval, in percent. Where the compression that was reached
differs from the one asked for by more than 2 %, it is given in brackets.</p>{body}</body></html>
"""


def _break_even(units: pd.DataFrame) -> str:
    """The break-even densities of one network as HTML; nothing where nothing was timed."""
    timed = [size for size in BATCH_SIZES if units[f"latency_{size}_kept"].notna().any()]
    if not timed:
        return ""
    columns = {
        f"batch of {size}": break_even(units, size).set_index("method")["density"] for size in timed
    }
    grid = pd.DataFrame(columns).map(lambda d: "–" if pd.isna(d) else f"{100 * d:.3g} %")
    return f"<p>{_FASTER}</p>{grid.to_html(index_names=False, border=0)}"


_FASTER = """Largest share of weights kept at which the compact network is at least 5 % faster than
the dense one, on one thread (–: at none of those measured):"""


def _percent(mean: float, half: float) -> str:
    return f"{mean:.1f}" if pd.isna(half) else f"{mean:.1f} ± {half:.1f}"


def _cell(row: Any) -> str:
    off = abs(row.achieved / row.compression - 1) > 0.02
    return _percent(row.accuracy, row.half_width) + (f" (×{row.achieved:.1f})" if off else "")
