"""The tables of all units, row by row against the files that they were gathered from."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from graphprune.comparison.columns import KEY, UNIT_LABELS, UNIT_METRICS
from graphprune.files import read_json
from graphprune.layout import UnitPaths
from graphprune.verify.findings import Findings
from graphprune.verify.folder import Folder

Row = dict[str, Any]
Key = tuple[object, ...]
COLUMNS = (*UNIT_LABELS, *UNIT_METRICS)
NUMBERS = {"seed", "compression", *UNIT_METRICS}


def check(folder: Folder, findings: Findings) -> None:
    """Each row is what its unit's files say, and each unit has one row."""
    units = dict(_units(folder))
    paths = folder.paths
    expected = {key: _with_latency({c: unit[c] for c in COLUMNS}, folder, key, findings)
                for key, unit in units.items()}  # fmt: skip
    for path, read in ((paths.units_csv, _csv), (paths.units_table, _parquet)):
        if Path(path).exists():
            with findings.reading(path, "the table of all units"):
                rows = [(_key(row), row) for row in read(path)]
                findings.looked[f"rows of {Path(path).name}"] += len(rows)
                _compare(path, rows, expected, findings)
    if Path(paths.layers_table).exists():
        with findings.reading(paths.layers_table, "the table of all layers"):
            layers = {
                (*key, layer["layer"]): {**dict(zip(KEY, key, strict=True)), **layer}
                for key, unit in units.items()
                for layer in unit["layers"]
            }
            found = _parquet(paths.layers_table)
            rows = [((*_key(row), row["layer"]), row) for row in found]
            _compare(paths.layers_table, rows, layers, findings)


def _units(folder: Folder) -> Iterator[tuple[Key, Row]]:
    """The metrics of every unit that has them, by the unit's key."""
    for network in folder.networks():
        for unit in folder.units(network):
            # what is wrong with the file itself has been said
            with Findings().reading(unit.metrics, "the metrics of a unit"):
                metrics, _ = read_json(unit.metrics, "the metrics of a unit")
                if all(column in metrics for column in (*COLUMNS, "layers")):
                    yield _of(unit), metrics


def _compare(
    path: str, rows: Sequence[tuple[Key, Row]], expected: Mapping[Key, Row], findings: Findings
) -> None:
    seen: set[Key] = set()
    for key, row in rows:
        name = "/".join(map(str, key))
        if key in seen:
            findings.add(f"{path}: has the row of {name} twice")
        seen.add(key)
        if key not in expected:
            findings.add(f"{path}: has a row of {name}, of which there are no metrics")
            continue
        for column, value in expected[key].items():
            if not _same(column, row[column], value):
                findings.add(f"{path}: row {name} has {column} {row[column]!r}; its file {value!r}")
    if lacking := [key for key in expected if key not in seen]:
        first = "/".join(map(str, lacking[0]))
        findings.outdated.append(f"{path}: lacks {len(lacking)} rows, the first of {first}")


def _with_latency(row: Row, folder: Folder, key: Key, findings: Findings) -> Row:
    """``row`` with what was timed of its unit."""
    path = f"{folder.results}/{key[0]}/{key[1]}/seed{folder.config['seeds'][0]}/latency.csv"
    if Path(path).exists() and key[2] == folder.config["seeds"][0]:
        with findings.reading(path, "the latencies of a network"):
            for timed in _csv(path):
                if _key(timed) == key:
                    row[f"latency_{timed['batch_size']}_total"] = float(timed["dense"])
                    row[f"latency_{timed['batch_size']}_kept"] = float(timed["compact"])
    return row


def _same(column: str, found: Any, expected: Any) -> bool:
    if column.startswith("latency"):
        # read by way of pandas, which may round the last digit
        return math.isclose(found, expected, rel_tol=1e-12)
    return bool(found == expected)


def _of(unit: UnitPaths) -> Key:
    names = (unit.dataset_name, unit.network, unit.seed, unit.regime, unit.method)
    return (*names, float(unit.compression))


def _key(row: Row) -> Key:
    return tuple(row[column] for column in KEY)


def _csv(path: str) -> list[Row]:
    with Path(path).open(newline="") as file:
        return [
            {name: _number(name, text) for name, text in row.items()}
            for row in csv.DictReader(file)
        ]


def _number(name: str, text: str) -> object:
    """``text`` as a number where the column ``name`` holds numbers; an empty one is NaN."""
    if name not in NUMBERS and not name.startswith("latency"):
        return text
    if not text:
        return math.nan
    return int(text) if text.lstrip("-").isdecimal() else float(text)


def _parquet(path: str) -> list[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        rows: list[Row] = pyarrow.parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(str(error)) from error
    return rows
