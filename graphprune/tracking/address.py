"""The address of the MLflow store. What of it may be shown: :mod:`graphprune.jobs.redaction`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SQLITE = "sqlite:///"
# the default store in the results, and the folder of its artifacts beside it
DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"


def tracking_uri(results: str | Path) -> str:
    """``MLFLOW_TRACKING_URI`` if set, else the SQLite store inside ``results``."""
    database = Path(results).resolve() / DATABASE
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}{database}"


def is_server(uri: str) -> bool:
    """Whether ``uri`` is that of an MLflow server, which decides itself where artifacts go."""
    return uri.startswith(("http://", "https://"))


def database_of(uri: str) -> Path | None:
    """The file of the SQLite store ``uri``; None for any other store."""
    if not uri.startswith(_SQLITE):
        return None
    return Path(uri.removeprefix(_SQLITE).partition("?")[0]).absolute()


def local_folder(uri: str) -> Path | None:
    """The folder on this host that the address ``uri`` of artifacts names; None if it names none.

    >>> local_folder("file:///my%20results/mlartifacts"), local_folder("s3://bucket/mlartifacts")
    (PosixPath('/my results/mlartifacts'), None)
    """
    scheme = urlsplit(uri).scheme
    if scheme == "file":
        return Path(unquote(urlsplit(uri).path))
    return None if scheme else Path(uri)


def connect(uri: str) -> MlflowClient:
    """MLflow's client for ``uri``; imports MLflow, which takes a second or two."""
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)
