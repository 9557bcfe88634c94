"""Calls to MLflow that may have to wait, and processes that must not write at the same time."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from graphprune.errors import UserError
from graphprune.jobs.redaction import redacted

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger("graphprune")

_BUSY = ("database is locked", "database table is locked")
_SQLITE = "sqlite3.OperationalError"
# how MLflow's client says that no answer came, and what a proxy answers for a server that is down
_NO_ANSWER = ("failed with exception", "failed with timeout exception", "TEMPORARILY_UNAVAILABLE")
_UNAVAILABLE = (502, 503, 504)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0


@dataclass(frozen=True)
class Patience:
    """How long a call to MLflow is repeated while the server, or its database, does not answer.

    seconds: from the first failure of a call until it is given up. The pauses between the attempts
    double from 0.05 s to 5 s. A database that another process holds is waited for in the same way.
    """

    seconds: float = 300.0

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``function(*args, **kwargs)``, repeated while no answer comes.

        Raises UserError, one line without passwords, when the patience is over. Any other error is
        raised at once.
        """
        first: float | None = None
        attempt = 0
        while True:
            try:
                return function(*args, **kwargs)
            except Exception as error:
                if not _is_passing(error):
                    raise
                now = time.monotonic()
                if first is None:
                    first = now
                    if not _is_busy(error):
                        _log.warning("MLflow does not answer; waiting %g s at most", self.seconds)
                if now - first >= self.seconds:
                    raise UserError(
                        f"MLflow did not answer for {self.seconds:g} s ({_reason(error)}); the "
                        "results are complete on disk, the next run of snakemake records them"
                    ) from error
            pause = min(_FIRST_PAUSE * 2.0**attempt, _LONGEST_PAUSE, self.seconds)
            time.sleep(pause * random.uniform(0.5, 1.0))
            attempt += 1


def portions(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """``items`` in lists of at most ``size``."""
    for first in range(0, len(items), size):
        yield list(items[first : first + size])


@contextmanager
def locked(results: Path, what: str) -> Iterator[None]:
    """One process at a time for ``what``; the kernel frees the lock of a process that dies."""
    folder = results / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(what.encode()).hexdigest()[:16]
    with (folder / f"mlflow-{name}").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _is_busy(error: Exception) -> bool:
    return any(sign in str(error) for sign in _BUSY)


def _is_passing(error: Exception) -> bool:
    """Whether the same call may succeed later: no answer, or a database in use."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import ConnectionError, HTTPError, Timeout

    if isinstance(error, ConnectionError | Timeout):
        return True
    if isinstance(error, HTTPError):
        return error.response is not None and error.response.status_code in _UNAVAILABLE
    if not isinstance(error, MlflowException):
        return False
    text = str(error)
    if _is_busy(error) or _SQLITE in text:
        return _is_busy(error)
    return (
        any(sign in text for sign in _NO_ANSWER)
        or error.error_code == "TEMPORARILY_UNAVAILABLE"
        or any(f"failed with error code {status}" in text for status in _UNAVAILABLE)
    )


def _reason(error: Exception) -> str:
    return redacted(" ".join(str(error).split()))[:300]
