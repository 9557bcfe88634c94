"""Services of their own for these tests: MLflow with PostgreSQL, started and stopped here."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphprune.tracking import Store, create_store
from graphprune.tracking.postgres import Postgres
from graphprune.tracking.server import Server

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


@pytest.fixture(autouse=True)
def _no_store_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URI", "USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own user can reach, unlike pytest's, and of a short name."""
    folder = Path(tempfile.mkdtemp(prefix="graphprune-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres(open_folder: Path) -> Iterator[Postgres]:
    with Postgres(open_folder / "postgresql") as database:
        yield database


@pytest.fixture(scope="session")
def server(open_folder: Path) -> Server:
    return Server(open_folder, port=free_port(), workers=1)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def store(running_server: Server, results: Path, request: pytest.FixtureRequest) -> Store:
    return create_store(results, request.node.name, running_server.address)
