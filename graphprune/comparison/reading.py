"""The comparison's files, read and checked: each is what `columns` says, or is refused by name."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphprune.comparison.columns import (
    HistoryRow,
    LatencyRow,
    RemovalRow,
    UnitRow,
    check_history,
    checked,
)
from graphprune.errors import UserError, shown
from graphprune.files import read_json

if TYPE_CHECKING:
    import pandas as pd
    from pydantic import BaseModel

# above what a network of 100 000 layers, or a training of a million epochs, needs
LARGEST = 200_000_000
# what `graphprune.files.write_csv` writes for a training of no epoch
NO_ROWS = b"\r\n"

Row = dict[str, Any]


def metrics(path: str | Path) -> Row:
    """A unit's row, with report and layers (`columns.UnitRow`).

    Raises UserError, naming the file, if it is missing, damaged, or not what a unit's metrics are.

    >>> metrics("results/digits/mlp/seed0/finetune/rgp/x8/metrics.json")["accuracy_dense"]
    0.96
    """
    what = "the metrics of a unit"
    _check_size(path, what)
    return checked(UnitRow, read_json(path, what)[0], f"{path}: not {what}")


def history(path: str | Path, epochs: int | None = None) -> list[Row]:
    """The epochs of a training (`columns.HistoryRow`), in order; none for a training of no epoch.

    epochs: how many were planned; None if that is not known.

    Raises UserError, naming the file, if it is missing, empty, cut off, or not complete.
    """
    rows = _rows(path, HistoryRow, "the history of a training", NO_ROWS)
    check_history(rows, str(path), epochs)
    return rows


def latencies(path: str | Path) -> list[Row]:
    """Latencies of a network's units (`columns.LatencyRow`); errors as for `history`."""
    return _rows(path, LatencyRow, "the latencies of a network")


def removal(path: str | Path, orders: Sequence[str], shares: Sequence[float]) -> list[Row]:
    """Removal curves of one seed (`columns.RemovalRow`); errors as for `history`.

    orders, shares: each order holds each of the shares, once.
    """
    rows = _rows(path, RemovalRow, "the removal curves of a network")
    if len({row["seed"] for row in rows}) > 1:
        raise UserError(f"{path}: holds rows of several seeds; expected one")
    found = sorted((row["order"], row["removed"]) for row in rows)
    if found != sorted((order, share) for order in orders for share in shares):
        raise UserError(
            f"{path}: holds {len(found)} rows; expected for each of the orders "
            f"{', '.join(orders)} the {len(shares)} shares, each once"
        )
    return rows


def table(path: str | Path, columns: Iterable[str], what: str) -> pd.DataFrame:
    """The Parquet table in the file ``path``, which has ``columns`` and at least one row.

    what: what the file should hold, for errors.

    Raises UserError, naming the file, if it is missing, damaged, or another table.
    """
    import pandas as pd
    from pyarrow import ArrowException

    from graphprune.errors import require

    try:
        found = pd.read_parquet(path)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; expected {what}") from error
    except (OSError, ValueError, KeyError, ArrowException) as error:
        reason = shown(str(error), 200)
        raise UserError(f"{path}: cannot be read ({reason}); expected {what}") from error
    require(found, columns, str(path))
    return found


def _rows(path: str | Path, schema: type[BaseModel], what: str, empty: bytes = b"") -> list[Row]:
    """The rows of a CSV file as ``schema`` says; none where the file holds ``empty``."""
    _check_size(path, what)
    try:
        content = Path(path).read_bytes()
        if empty and content == empty:
            return []
        if not content.endswith(b"\n"):
            raise ValueError("its last line is cut off" if content else "it is empty")
        lines = list(csv.reader(content.decode("utf-8").splitlines(), strict=True))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; expected {what}") from error
    except (OSError, ValueError, csv.Error) as error:
        reason = shown(str(error), 200)
        raise UserError(f"{path}: cannot be read ({reason}); expected {what}") from error
    header, *body = lines
    if len(set(header)) < len(header):
        raise UserError(f"{path}: names a column twice; expected {what}")
    if not body:
        raise UserError(f"{path}: holds no row; expected {what}")
    rows = []
    for number, line in enumerate(body, 2):
        if len(line) != len(header):
            raise UserError(
                f"{path}: line {number} has {len(line)} values; expected {len(header)}, {what}"
            )
        place = f"{path}: line {number}: not {what}"
        rows.append(checked(schema, dict(zip(header, line, strict=True)), place, strict=False))
    return rows


def _check_size(path: str | Path, what: str) -> None:
    try:
        size = Path(path).stat().st_size
    except (OSError, ValueError):
        return  # whoever opens it says why it cannot be
    if size > LARGEST:
        raise UserError(f"{path}: holds {size} bytes; expected {what}, at most {LARGEST} bytes")
