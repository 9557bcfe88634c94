"""What a unit of a finished run leaves on disk and in MLflow's database, beside its budget.

    python benchmarks/artifacts.py results

Per unit: its folder, the folder of its run in MLflow, and its share of the logs of its method (one
log for each batch of ratios, and MLflow's copy of it). Files are counted by name; ``inodes`` counts
hard links once. Bytes count hard links once, and every file in blocks of 4 kB, as a file system
does. The budget is 1.2 x (prunable weights / 8 + 4 x kept weights, twice for methods that train,
+ 4 x what is not pruned) + 64 kB, and 10 files. ``database bytes``, which it does not hold, are the
share of the unit's rows in the whole database, MLflow's empty tables (0.7 MB) included.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from tables import table

from graphprune.configuration.complete import options
from graphprune.errors import UserError
from graphprune.files import read_json
from graphprune.layout import UnitPaths, network_of
from graphprune.methods.catalog import build

BLOCK = 4096
MOST_FILES = 10
ALLOWANCE = 64_000
# columns of MLflow's tables that name the run a row belongs to
RUN_COLUMNS = ("run_uuid", "run_id", "source_run_id")


@dataclass(frozen=True)
class Unit:
    """One unit: its files, its share of logs, and the sizes that its budget follows from."""

    paths: UnitPaths
    files: list[Path]
    # files, and bytes of them, that it shares with the other units of its method
    logs: tuple[float, float]
    prunable: int
    kept: int
    unpruned_bytes: int
    trains: bool
    # rows of its run in MLflow's database, and the bytes that so many of them take
    rows: int = 0
    database: float = 0.0
    inodes: dict[tuple[int, int], int] = field(init=False)

    def __post_init__(self) -> None:
        stats = [path.stat() for path in self.files]
        object.__setattr__(
            self, "inodes", {(one.st_dev, one.st_ino): blocks(one.st_size) for one in stats}
        )

    @property
    def names(self) -> float:
        return len(self.files) + self.logs[0]

    @property
    def bytes(self) -> float:
        return sum(self.inodes.values()) + self.logs[1]

    @property
    def bound(self) -> float:
        kept = 4 * self.kept * (2 if self.trains else 1)
        return 1.2 * (self.prunable / 8 + kept + self.unpruned_bytes) + ALLOWANCE

    @property
    def within(self) -> bool:
        return self.bytes <= self.bound and self.names <= MOST_FILES


def blocks(size: int) -> int:
    """``size`` in whole blocks of a file system."""
    return -(-size // BLOCK) * BLOCK


def units(results: Path) -> list[Unit]:
    """Every finished unit of ``results``, by path."""
    configuration = json.loads((results / "config.json").read_text())
    runs = runs_of(results / "mlflow.db")
    found = []
    for metrics in sorted(results.glob("*/*/seed*/*/*/x*/metrics.json")):
        paths = UnitPaths.of(results, metrics)
        folder, rows, share = runs.get(paths.id, (None, 0, 0.0))
        values, _ = read_json(metrics, "the metrics of a unit")
        prunable = int(str(values["params_total"]))
        found.append(
            Unit(
                paths,
                [*files_in(metrics.parent), *(files_in(folder) if folder else [])],
                shared_logs(paths, folder.parents[1] if folder else None),
                prunable,
                int(str(values["params_kept"])),
                tensor_bytes(Path(paths.checkpoint)) - 4 * prunable,
                trains(configuration["methods"][paths.method]),
                rows,
                share,
            )
        )
    return found


def files_in(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def trains(entry: Mapping[str, Any]) -> bool:
    """Whether a method of the configuration trains the network itself."""
    return build(entry["method"], **options(entry)).epochs_needed() != 0


def shared_logs(unit: UnitPaths, artifacts: Path | None) -> tuple[float, float]:
    """A unit's share of the logs of its method's batches and of MLflow's copies: files, bytes."""
    name = f"{unit.method_job}.log"
    logs = list(Path(unit.results, "logs").glob(f"units*/{name}"))
    if artifacts:
        logs += artifacts.glob(f"*/artifacts/logs/units*/{name}")
    siblings = len(list(Path(unit.method_folder).glob("x*/metrics.json")))
    return len(logs) / siblings, sum(blocks(log.stat().st_size) for log in logs) / siblings


def tensor_bytes(checkpoint: Path) -> int:
    """Bytes of the tensors in a safetensors file."""
    with checkpoint.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    return checkpoint.stat().st_size - 8 - header


def runs_of(database: Path) -> dict[str, tuple[Path, int, float]]:
    """Of each active run, by unit: folder of artifacts, rows, and so many rows' share of bytes."""
    if not database.is_file():
        return {}
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        total, by_run = rows_of(connection)
        named = connection.execute(
            "SELECT value, run_uuid, artifact_uri FROM tags JOIN runs USING (run_uuid) "
            "WHERE key = 'graphprune.unit' AND lifecycle_stage = 'active'"
        ).fetchall()
    size = database.stat().st_size
    return {
        unit: (artifacts_at(uri), by_run[run], size * by_run[run] / total)
        for unit, run, uri in named
    }


def artifacts_at(uri: str) -> Path:
    folder = Path(unquote(urlparse(uri).path))
    if not folder.is_dir():
        raise UserError(f"{uri}: no such folder; `make ui` brings a moved record up to date")
    return folder


def rows_of(connection: sqlite3.Connection) -> tuple[int, dict[str, int]]:
    """Rows of all tables, and those that name a run, by run."""
    total = 0
    by_run: dict[str, int] = {}
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (name,) in tables:
        total += connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
        columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{name}")')]
        for column in [one for one in RUN_COLUMNS if one in columns][:1]:
            counts = f'SELECT "{column}", count(*) FROM "{name}" GROUP BY "{column}"'
            for run, count in connection.execute(counts):
                by_run[run] = by_run.get(run, 0) + count
    return total, by_run


def rows(found: Iterable[Unit]) -> Iterator[dict[str, object]]:
    """A row of the table for each unit."""
    for unit in found:
        yield {
            "network": network_of(unit.paths.id),
            "method": f"{unit.paths.regime}/{unit.paths.method}",
            "ratio": unit.paths.ratio,
            "files": unit.names,
            "inodes": len(unit.inodes) + unit.logs[0],
            "bytes": round(unit.bytes),
            "budget": round(unit.bound),
            "used %": round(100 * unit.bytes / unit.bound, 1),
            "database rows": unit.rows,
            "database bytes": round(unit.database),
            "within": "yes" if unit.within else "NO",
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"))
    results = parser.parse_args().results
    found = units(results)
    table(list(rows(found)))
    names = files_in(results)
    inodes = {(one.st_dev, one.st_ino): blocks(one.st_size) for one in map(Path.stat, names)}
    print(f"{len(found)} units, {sum(unit.within for unit in found)} within their budget")
    print(
        f"in all: {len(names)} files, {len(inodes)} with hard links counted once, "
        f"{sum(inodes.values())} bytes"
    )


if __name__ == "__main__":
    main()
