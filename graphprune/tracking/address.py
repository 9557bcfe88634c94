"""The address of the MLflow store, and how to write it without its password."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SECRET = re.compile(r"(?<=://)[^\s/@]*:[^\s]*@|([?&]password=)[^&\s]*", re.IGNORECASE)
_SQLITE = "sqlite:///"
# the default store in the results, and the folder of its artifacts beside it
DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"


def tracking_uri(results: str | Path) -> str:
    """``MLFLOW_TRACKING_URI`` if set, else the SQLite store inside ``results``."""
    database = Path(results).resolve() / DATABASE
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}{database}"


def redacted(text: str) -> str:
    """``text`` with user name and password of every URI in it replaced by ``***``.

    >>> redacted("no answer from https://anna:secret@mlflow.example.org:5000")
    'no answer from https://***@mlflow.example.org:5000'
    """
    return _SECRET.sub(lambda match: f"{match[1]}***" if match[1] else "***@", text)


def is_server(uri: str) -> bool:
    """Whether ``uri`` is that of an MLflow server, which decides itself where artifacts go."""
    return uri.startswith(("http://", "https://"))


def database_of(uri: str) -> Path | None:
    """The file of the SQLite store ``uri``; None for any other store."""
    return Path(uri.removeprefix(_SQLITE)).absolute() if uri.startswith(_SQLITE) else None


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
