"""The one exception a user is meant to read."""

from __future__ import annotations


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
