"""The one exception a user is meant to read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class UserError(ValueError):
    """Input that cannot be used.

    The message is one line: what is wrong, where (a key, a file, a module's path) and what is
    allowed. Programs print it and exit with a non-zero status; they show no traceback.

    >>> raise UserError("sparsity is 1.5; allowed: 0 <= sparsity < 1")
    Traceback (most recent call last):
    graphprune.errors.UserError: sparsity is 1.5; allowed: 0 <= sparsity < 1
    """


def one_of(what: str, value: object, allowed: object) -> UserError:
    """The error for a ``value`` that is none of the ``allowed`` names."""
    names = ", ".join(sorted(str(name) for name in allowed))  # type: ignore[attr-defined]
    return UserError(f"{what} is {value!r}; allowed: {names}")


def require(table: pd.DataFrame, columns: Iterable[str], what: str) -> None:
    """UserError unless ``table`` has all ``columns`` and at least one row."""
    if missing := [column for column in columns if column not in table.columns]:
        raise UserError(f"{what}: the table lacks the column {missing[0]!r}")
    if table.empty:
        raise UserError(f"{what}: the table is empty; at least one row is needed")
