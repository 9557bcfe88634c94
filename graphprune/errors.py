"""The one exception a user is meant to read."""

from __future__ import annotations

from collections.abc import Iterable
from reprlib import Repr
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


class _Short(Repr):
    """``repr`` that looks at the first entries and levels only: YAML's aliases make huge values."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = 20
        self.maxother = 200

    def repr_str(self, x: str, level: int) -> str:
        return repr(x if len(x) <= 400 else x[:200] + x[-200:])

    def repr_int(self, x: int, level: int) -> str:
        try:
            return repr(x)
        except ValueError:  # more than 4 300 digits
            return f"an integer of about {int(x.bit_length() * 0.30103)} digits"


_SHORT = _Short()


def one_of(what: str, value: object, allowed: Iterable[object]) -> UserError:
    """The error for a ``value`` that is none of the ``allowed`` names."""
    names = ", ".join(sorted(str(name) for name in allowed))
    return UserError(f"{what} is {shown(value)}; allowed: {names}")


def shown(value: object, length: int = 80) -> str:
    """``value`` as it stands in a message: one line, cut in the middle where it is long.

    >>> shown("a" * 100, 20)
    "'aaaaaaaa…aaaaaaaaa'"
    """
    text = " ".join(_SHORT.repr(value).splitlines())
    if len(text) <= length:
        return text
    half = (length - 1) // 2
    return f"{text[:half]}…{text[-(length - 1 - half) :]}"


def require(table: pd.DataFrame, columns: Iterable[str], what: str) -> None:
    """UserError unless ``table`` has all ``columns`` and at least one row."""
    if missing := [column for column in columns if column not in table.columns]:
        raise UserError(f"{what}: the table lacks the column {missing[0]!r}")
    if table.empty:
        raise UserError(f"{what}: the table is empty; at least one row is needed")
