"""MLflow's store beside the results: the runs of all units hold what the units' files say.

The database is read as what it is, SQLite, so that verification needs no MLflow.
"""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from graphprune.comparison.columns import UNIT_METRICS
from graphprune.files import read_json
from graphprune.layout import NetworkPaths
from graphprune.verify.findings import Findings
from graphprune.verify.folder import Folder


def check(folder: Folder, findings: Findings) -> None:
    """Hold each recorded run against its unit, where the store is a file in the results."""
    database = Path(folder.paths.database)
    if not database.is_file():
        return
    uri = f"file:{quote(str(database.resolve()))}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as store:
            for network in folder.networks():
                note = folder.paths.record(network.job)
                if Path(note).exists():
                    with findings.reading(note, "a note of recorded runs"):
                        _check_network(folder, network, note, store, findings)
    except sqlite3.Error as error:
        findings.add(f"{database}: is not MLflow's store ({error})")


def _check_network(
    folder: Folder,
    network: NetworkPaths,
    note: str,
    store: sqlite3.Connection,
    findings: Findings,
) -> None:
    runs, _ = read_json(note, "a note of recorded runs")
    for unit in folder.units(network):
        if not Path(unit.metrics).exists():
            continue
        with findings.reading(unit.metrics, "the metrics of a unit"):
            metrics, _ = read_json(unit.metrics, "the metrics of a unit")
            if unit.id not in runs:
                findings.outdated.append(f"{note}: names no run of {unit.id}")
                continue
            findings.looked["recorded runs"] += 1
            wanted = {key: float(metrics[key]) for key in UNIT_METRICS}
            for reason in _reasons(store, runs[unit.id], wanted):
                findings.add(f"{folder.paths.database}: run of {unit.id} {reason}")


def _reasons(store: sqlite3.Connection, run: str, wanted: dict[str, float]) -> list[str]:
    """Why a run does not hold the numbers ``wanted``."""
    stages = store.execute("select lifecycle_stage from runs where run_uuid = ?", [run]).fetchall()
    if stages != [("active",)]:
        return [f"({run}) is not there"]
    query = "select key, value, is_nan from latest_metrics where run_uuid = ?"
    held = {
        key: math.nan if is_nan else value for key, value, is_nan in store.execute(query, [run])
    }
    return [
        f"has {key} {held.get(key)!r}; its metrics.json {value!r}"
        for key, value in wanted.items()
        if held.get(key) != value
    ]
