"""Who may reach the record: the loopback address, names and passwords, and none of them in it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
from mlflow.exceptions import MlflowException
from services.conftest import free_port
from tracking_examples import dense

from graphprune.errors import UserError
from graphprune.tracking import create_store
from graphprune.tracking.postgres import Postgres
from graphprune.tracking.server import Server, mlflow_server

ADMIN = ("admin", "correct horse battery")
ANNA = ("anna", "a pass word of anna's")
SEARCH = "api/2.0/mlflow/experiments/search?max_results=10"


@pytest.fixture(scope="module")
def guarded(open_folder: Path, postgres: Postgres) -> Iterator[Server]:
    """A server that asks for a password, with one user beside the administrator."""
    server = Server(open_folder / "guarded", port=free_port(), workers=1, auth=True)
    server.folder.mkdir()
    for database in ("guarded", "users"):
        postgres.create(database)
    environment = server.environment(postgres.uri("guarded"), postgres.uri("users"))
    environment["MLFLOW_AUTH_ADMIN_PASSWORD"] = ADMIN[1]
    with mlflow_server(server, environment):
        reply = requests.post(
            f"{server.address}/api/2.0/mlflow/users/create", auth=ADMIN, timeout=30,
            json={"username": ANNA[0], "password": ANNA[1]},
        )  # fmt: skip
        assert reply.status_code == 200, reply.text
        yield server


def sign_in(monkeypatch: pytest.MonkeyPatch, user: str, password: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)


@pytest.mark.parametrize("page", [SEARCH, "", "api/2.0/mlflow-artifacts/artifacts"])
@pytest.mark.parametrize("who", [None, ("anna", "guess"), ("stranger", ANNA[1])])
def test_a_stranger_gets_401(guarded: Server, page: str, who: tuple[str, str] | None) -> None:
    reply = requests.get(f"{guarded.address}/{page}", auth=who, timeout=30)
    assert reply.status_code == 401


def test_a_stranger_records_nothing(guarded: Server, tmp_path: Path) -> None:
    with pytest.raises(MlflowException, match="401"):
        create_store(tmp_path, "intruder", guarded.address)
    found = requests.get(f"{guarded.address}/{SEARCH}", auth=ADMIN, timeout=30).json()
    assert "intruder" not in json.dumps(found)


def test_a_user_records_and_the_password_is_nowhere(
    guarded: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(monkeypatch, *ANNA)
    store = create_store(tmp_path, "of anna", guarded.address)
    (run_id,) = store.record(dense(tmp_path, tags={"stage": "train"})).values()
    assert store.client.get_run(run_id).data.metrics["accuracy_dense"] == 0.97
    assert [file.path for file in store.client.list_artifacts(run_id)] == [
        "checkpoint", "lineage.json"
    ]  # fmt: skip
    shown = json.dumps(store.client.get_run(run_id).to_dictionary())
    written = [path for path in guarded.folder.rglob("*") if path.is_file()]
    written += [path for path in tmp_path.rglob("*") if path.is_file()]
    texts = [shown, *(path.read_bytes().decode(errors="replace") for path in written)]
    for secret in (ANNA[1], ADMIN[1]):
        assert not [text for text in texts if secret in text]


def test_what_signs_and_names_the_databases_is_the_owners_alone(guarded: Server) -> None:
    for name in ("basic_auth.ini", "secret_key"):
        assert (guarded.folder / name).stat().st_mode & 0o777 == 0o600


def test_the_database_has_no_network_address_and_a_private_socket(postgres: Postgres) -> None:
    (sock,) = postgres.folder.glob(".s.PGSQL.*[0-9]")
    assert sock.stat().st_mode & 0o777 == 0o700
    assert postgres.folder.stat().st_mode & 0o077 == 0
    assert postgres.process is not None
    connections = psutil.Process(postgres.process.pid).net_connections("inet")
    assert [one for one in connections if one.status == psutil.CONN_LISTEN] == []


def test_servers_listen_on_loopback(guarded: Server) -> None:
    assert "--host 127.0.0.1" in " ".join(Server(Path("server")).command())
    addresses = {
        address.address
        for named in psutil.net_if_addrs().values()
        for address in named
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    }
    for address in addresses:
        with socket.socket() as probe:
            probe.settimeout(2)
            assert probe.connect_ex((address, guarded.port)) != 0


def test_credentials_are_in_no_command_line(guarded: Server) -> None:
    command = guarded.command()
    assert not [word for word in command if "postgresql" in word or ADMIN[1] in word]


def test_the_log_of_a_server_that_does_not_start_holds_no_secret(open_folder: Path) -> None:
    folder = open_folder / "refused"
    folder.mkdir()
    server = Server(folder, port=free_port(), workers=1)
    # MLflow names an address that it does not understand, in full
    environment = server.environment("foo://t0psecret@db.example.org/a?token=hidden", "")
    with pytest.raises(UserError, match="does not start"), mlflow_server(server, environment):
        pass
    text = (folder / "mlflow.log").read_text()
    assert "foo://db.example.org/a" in text
    assert "t0psecret" not in text
    assert "hidden" not in text


def test_without_a_password_for_the_administrator_it_does_not_start(
    open_folder: Path, root: Path
) -> None:
    folder = open_folder / "unguarded"
    environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/mlflow.db"}
    environment.pop("MLFLOW_AUTH_ADMIN_PASSWORD", None)
    command = [sys.executable, "-m", "graphprune.tracking.server", "--auth", "--workers", "1"]
    command += ["--folder", str(folder), "--port", str(free_port())]
    done = subprocess.run(
        command, env=environment, cwd=root, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("MLFLOW_AUTH_ADMIN_PASSWORD")
    assert len(done.stderr.splitlines()) == 1
