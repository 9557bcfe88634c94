"""Calls to MLflow that wait while the database is busy."""

from __future__ import annotations

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

from graphprune.tracking import Patience


def test_a_busy_database_is_waited_for() -> None:
    calls: list[int] = []

    def busy_twice(value: int) -> int:
        calls.append(value)
        if len(calls) < 3:
            raise MlflowException("(sqlite3.OperationalError) database is locked")
        return value

    assert Patience(60).call(busy_twice, 5) == 5
    assert calls == [5, 5, 5]

    def broken() -> None:
        calls.append(0)
        raise MlflowException("(sqlite3.OperationalError) no such table", TEMPORARILY_UNAVAILABLE)

    with pytest.raises(MlflowException, match="no such table"):
        Patience(60).call(broken)
    assert calls.count(0) == 1
