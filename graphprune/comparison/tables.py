"""The comparison of all units: one tidy table, and one of their layers."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from graphprune.comparison import reading
from graphprune.comparison.columns import KEY, NETWORK, UNIT_LABELS, UNIT_METRICS
from graphprune.comparison.relative_cost import break_even
from graphprune.errors import UserError, shown
from graphprune.statistics import interval

BATCH_SIZES = (1, 64)
LATENCIES = [f"latency_{size}_{end}" for size in BATCH_SIZES for end in ("total", "kept")]
COLUMNS = [*UNIT_LABELS, *UNIT_METRICS, *LATENCIES]
# what all units of a network have in common, and what those of one of its seeds have
OF_NETWORK = ("model", "params_total", "flops_total", "file_size_total")
OF_SEED = ("accuracy_dense",)

Unit = tuple[object, ...]


def tables(
    paths: Iterable[str | Path], latencies: Iterable[str | Path] = ()
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The units' ``metrics.json`` files as two tables, sorted by unit.

    latencies: files of measured latencies, one for each network that was timed
        (`graphprune.comparison.columns.LatencyRow`).

    Returns
    -------
    units : a row per unit with the columns ``COLUMNS``; accuracies and sparsity in [0, 1], times
        in seconds, FLOPs per example, file sizes in bytes; latency_<batch size>_total of the dense
        and _kept of the compact network, NaN for units that were not timed.
    layers : a row per unit and layer: the unit's key, layer, density in [0, 1], flops_kept.

    Raises
    ------
    UserError : a file does not hold a unit's metrics, or a network's latencies; two files hold the
        same unit; units of a network differ in what they have in common; a timed network lacks a
        latency. Names the file.
    """
    read: dict[Unit, tuple[str | Path, dict[str, Any]]] = {}
    for path in paths:
        row = reading.metrics(path)
        first, _ = read.setdefault(tuple(row[k] for k in KEY), (path, row))
        if first is not path:
            raise UserError(f"{path}: holds the same unit as {first}; each is allowed once")
    if not read:
        raise UserError("there are no metrics of a unit; at least one file is needed")
    _check_common(read.values(), NETWORK, OF_NETWORK)
    _check_common(read.values(), [*NETWORK, "seed"], OF_SEED)
    times = _latencies(latencies, read)
    units, layers = [], []
    for key, (_, row) in read.items():
        numbers = {column: row[column] for column in (*UNIT_LABELS, *UNIT_METRICS)}
        units.append(numbers | times.get(key, dict.fromkeys(LATENCIES, float("nan"))))
        labels = {column: row[column] for column in UNIT_LABELS}
        layers += [{**labels, **layer} for layer in row["layers"]]
    return (
        pd.DataFrame(units, columns=COLUMNS).sort_values(KEY, ignore_index=True),
        pd.DataFrame(layers).sort_values(KEY, ignore_index=True, kind="stable"),
    )


def _check_common(
    read: Iterable[tuple[str | Path, Mapping[str, Any]]],
    key: Iterable[str],
    columns: Iterable[str],
) -> None:
    """UserError unless units that agree in ``key`` agree in ``columns`` and their layers' names."""
    first: dict[Unit, tuple[str | Path, dict[str, object]]] = {}
    for path, row in read:
        common = {column: row[column] for column in columns}
        common["layers"] = [layer["layer"] for layer in row["layers"]]
        before, expected = first.setdefault(tuple(row[k] for k in key), (path, common))
        for column, value in common.items():
            if value != expected[column]:
                raise UserError(
                    f"{path}: {column} is {shown(value)}; expected {shown(expected[column])} as in "
                    f"{before}, a unit of the same {'seed' if 'seed' in key else 'network'}"
                )


def _latencies(
    paths: Iterable[str | Path], read: Mapping[Unit, tuple[str | Path, Mapping[str, Any]]]
) -> dict[Unit, dict[str, float]]:
    """The columns ``LATENCIES`` of the units that were timed."""
    times: dict[Unit, dict[str, float]] = {}
    for path in paths:
        networks = set()
        for row in reading.latencies(path):
            key, size = tuple(row[k] for k in KEY), row["batch_size"]
            name = "/".join(map(str, key))
            if key not in read or read[key][1]["model"] != row["model"]:
                raise UserError(f"{path}: times {shown(name)}, which is none of the units compared")
            if size not in BATCH_SIZES:
                raise UserError(f"{path}: batch_size is {size}; allowed: {_words(BATCH_SIZES)}")
            unit = times.setdefault(key, {})
            if f"latency_{size}_total" in unit:
                raise UserError(f"{path}: times {name} twice at a batch of {size}")
            unit[f"latency_{size}_total"], unit[f"latency_{size}_kept"] = (
                row["dense"],
                row["compact"],
            )
            networks.add(key[:3])
        for key in read:
            if key[:3] in networks and len(times.get(key, {})) < len(LATENCIES):
                name = "/".join(map(str, key))
                raise UserError(
                    f"{path}: lacks {name} at a batch of {_words(BATCH_SIZES)}; expected all units "
                    "of the network and seed"
                )
    return times


def _words(sizes: Iterable[int]) -> str:
    return " and ".join(map(str, sizes))


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
