"""How the benchmarks show and keep their rows."""

from __future__ import annotations

import csv
from pathlib import Path


def table(rows: list[dict[str, object]]) -> None:
    for key in rows[0]:
        cells = [row.get(key, "") for row in rows]
        shown = [f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in cells]
        print(f"{key:>28}", *(f"{cell:>14}" for cell in shown))


def write(rows: list[dict[str, object]], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
