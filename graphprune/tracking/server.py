"""A shared MLflow server: ``mlflow server`` with PostgreSQL and an artifact folder.

``python -m graphprune.tracking.server --folder server`` starts both and stops both. Clients need
``MLFLOW_TRACKING_URI`` only: artifacts go through the server. It listens on 127.0.0.1 unless told
otherwise. ``MLFLOW_BACKEND_STORE_URI`` names an existing database, to be used in place of a private
one. Like all credentials it is read from the environment and appears in no command line and no log.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from graphprune.errors import UserError
from graphprune.jobs.redaction import guard, redacted, redactor
from graphprune.tracking.postgres import Postgres

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_START_SECONDS = 180
_STOP_SECONDS = 20


@dataclass(frozen=True)
class Server:
    """What to start.

    folder: of the database, the artifacts and the logs. host, port: where to listen.
    auth: whether MLflow asks for a name and a password (its app ``basic-auth``); the first start
    takes the password of ``admin`` from ``MLFLOW_AUTH_ADMIN_PASSWORD``.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 5000
    workers: int = 2
    auth: bool = False

    @property
    def address(self) -> str:
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{host}:{self.port}"

    def command(self) -> list[str]:
        artifacts = self.folder.resolve() / "artifacts"
        return [
            *(sys.executable, "-m", "mlflow", "server", "--host", self.host),
            *("--port", str(self.port), "--workers", str(self.workers)),
            *("--artifacts-destination", str(artifacts)),
            *(["--app-name", "basic-auth"] if self.auth else []),
        ]

    def environment(self, backend: str, users: str) -> dict[str, str]:
        """The server's environment; backend, users: addresses of the two databases."""
        variables = {
            **os.environ,
            "MLFLOW_BACKEND_STORE_URI": backend,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        # with the address that clients use, the server would become a client of itself
        variables.pop("MLFLOW_TRACKING_URI", None)
        if self.auth:
            config = self.folder / "basic_auth.ini"
            variables["MLFLOW_AUTH_CONFIG_PATH"] = str(config.resolve())
            variables["MLFLOW_FLASK_SERVER_SECRET_KEY"] = _secret(self.folder / "secret_key")
            _write_private(config, _AUTH_CONFIG.format(database=users.replace("%", "%%")))
        return variables


_AUTH_CONFIG = """\
[mlflow]
default_permission = READ
database_uri = {database}
admin_username = admin
# a password is hashed once a minute instead of at every request
auth_cache_ttl_seconds = 60
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""


@contextmanager
def running(server: Server) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server and its database until the block ends; the block begins when it answers.

    Raises UserError, one line, if one of them does not start.
    """
    with ExitStack() as stack:
        server.folder.mkdir(parents=True, exist_ok=True)
        backend = os.environ.get("MLFLOW_BACKEND_STORE_URI", "")
        users = f"sqlite:///{server.folder.resolve()}/users.db"
        # the first start with a password has written this file
        if server.auth and not ((server.folder / "basic_auth.ini").exists() or _has_password()):
            raise UserError(
                "MLFLOW_AUTH_ADMIN_PASSWORD is not set; the first start takes the password of "
                "'admin' from it (12 characters at least)"
            )
        if not backend:
            database = stack.enter_context(Postgres(server.folder / "postgresql"))
            database.create("mlflow")
            database.create("users")
            backend, users = database.uri("mlflow"), database.uri("users")
        yield stack.enter_context(mlflow_server(server, server.environment(backend, users)))


@contextmanager
def mlflow_server(
    server: Server, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``mlflow server`` alone until the block ends; the block begins when it answers."""
    log = server.folder / "mlflow.log"
    with log.open("ab") as stream:
        # libraries name an address, with its password, in their errors
        output = redactor(stream, environment).stdin
    process = subprocess.Popen(
        server.command(), env=environment, stdout=output, stderr=output, start_new_session=True
    )
    assert output is not None
    output.close()
    try:
        _await(server, process, log)
        yield process
    finally:
        _end(process)


def _await(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while not answers(server.address):
        if process.poll() is not None or time.monotonic() > end:
            raise UserError(f"mlflow server does not start on {server.address}; see {log}")
        time.sleep(0.2)


def _has_password() -> bool:
    return bool(os.environ.get("MLFLOW_AUTH_ADMIN_PASSWORD"))


def answers(address: str) -> bool:
    """Whether a server answers at ``address``."""
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server and its workers, which share its process group."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _secret(path: Path) -> str:
    """The key that signs the forms of the user interface; made once."""
    if not path.is_file():
        _write_private(path, secrets.token_hex(32))
    return path.read_text()


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)


def _arguments(words: Sequence[str] | None) -> Server:
    parser = argparse.ArgumentParser(prog="python -m graphprune.tracking.server")
    parser.add_argument("--folder", type=Path, default=Path("server"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--auth", action="store_true", help="ask for a name and a password")
    return Server(**vars(parser.parse_args(words)))


def main(words: Sequence[str] | None = None) -> int:
    """Run the server until it is told to stop (SIGINT, SIGTERM) or ends by itself."""
    server = _arguments(words)
    guard()
    stopped: list[int] = []

    def stop(number: int, _: object) -> None:
        stopped.append(number)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        with running(server) as process:
            print(f"MLflow answers on {server.address}; record there with")
            print(f"  export MLFLOW_TRACKING_URI={server.address}", flush=True)
            if server.host not in LOOPBACK and not server.auth:
                print("anyone who reaches this host can read and delete; consider AUTH=1")
            process.wait()
            raise UserError(f"mlflow server ended; see {server.folder / 'mlflow.log'}")
    except KeyboardInterrupt:
        return 0
    except UserError as error:
        print(redacted(str(error)), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
