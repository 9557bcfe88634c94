"""The address of the MLflow store. What of it may be shown: :mod:`graphprune.jobs.redaction`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient


def tracking_uri(results: str | Path) -> str:
    """``MLFLOW_TRACKING_URI`` if set, else the SQLite store inside ``results``."""
    database = Path(results).resolve() / "mlflow.db"
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{database}"


def is_server(uri: str) -> bool:
    """Whether ``uri`` is that of an MLflow server, which decides itself where artifacts go."""
    return uri.startswith(("http://", "https://"))


def connect(uri: str) -> MlflowClient:
    """MLflow's client for ``uri``; imports MLflow, which takes a second or two."""
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)
