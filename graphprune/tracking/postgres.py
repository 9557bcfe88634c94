"""A private PostgreSQL in a folder, reached through a socket that only its owner can open.

No password exists that could leak: the server listens on no network address.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from graphprune.errors import UserError

USER = "mlflow"
_PORT = 5432
# the most characters that the path of a Unix socket may have
_SOCKET_PATH = 107
_START_SECONDS = 60


class Postgres:
    """The database cluster in ``folder``; made there by :meth:`start` if it is missing.

    PostgreSQL refuses to run as root. If root starts it, it runs as the user ``postgres``, who must
    be able to reach the folder.

    >>> with Postgres(Path("server/postgresql")) as database:  # doctest: +SKIP
    ...     database.uri("mlflow")
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.programs = _programs()
        self.user = "postgres" if os.geteuid() == 0 else None
        self.process: subprocess.Popen[bytes] | None = None
        if len(f"{self.folder}/.s.PGSQL.{_PORT}") > _SOCKET_PATH:
            raise UserError(f"{self.folder}: too long for a socket; choose a shorter folder")

    def uri(self, database: str) -> str:
        """SQLAlchemy's address of ``database``."""
        return f"postgresql://{USER}@/{database}?host={quote(str(self.folder))}"

    def __enter__(self) -> Postgres:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers. UserError, one line, if it does not."""
        if not (self.folder / "PG_VERSION").is_file():
            self._make()
        log = (self.folder.parent / "postgresql.log").open("ab")
        options = {"listen_addresses": "", "unix_socket_permissions": "0700"}
        self.process = subprocess.Popen(
            [
                *(self.programs / "postgres", "-D", self.folder, "-k", self.folder),
                *(word for key, value in options.items() for word in ("-c", f"{key}={value}")),
            ],
            user=self.user, stdout=log, stderr=log, start_new_session=True, cwd="/",
        )  # fmt: skip
        log.close()
        ready = [str(self.programs / "pg_isready"), "-q", "-h", str(self.folder)]
        end = time.monotonic() + _START_SECONDS
        while subprocess.run(ready, check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise UserError(f"PostgreSQL does not start; see {log.name}")
            time.sleep(0.1)

    def create(self, database: str) -> None:
        """Create ``database`` if it is missing."""
        where = ["-h", str(self.folder), "-U", USER]
        query = f"SELECT 1 FROM pg_database WHERE datname = '{database}'"
        answer = self._run("psql", *where, "-d", "postgres", "-Atc", query)
        if answer.strip() != "1":
            self._run("createdb", *where, database)

    def stop(self) -> None:
        """Stop it as PostgreSQL's "fast" shutdown does: open connections are ended."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait()
        self.process = None

    def _make(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        if self.user is not None:
            try:
                shutil.chown(self.folder, pwd.getpwnam(self.user).pw_uid)
            except KeyError:
                raise UserError("PostgreSQL cannot run as root, no user 'postgres'") from None
        # trust asks for no password: only the owner can open the socket, whose folder has mode 0700
        self._run(
            "initdb", "-D", str(self.folder), "-U", USER, "-E", "UTF8", "--no-locale",
            "--auth-local=trust", "--auth-host=reject", user=self.user,
        )  # fmt: skip

    def _run(self, program: str, *arguments: str, user: str | None = None) -> str:
        done = subprocess.run(
            [self.programs / program, *arguments],
            capture_output=True, text=True, check=False, user=user, cwd="/",
        )  # fmt: skip
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            hint = f"; can user {user} reach that folder?" if user else ""
            raise UserError(f"{program} in {self.folder}: {reason}{hint}")
        return done.stdout


def _programs() -> Path:
    """The folder of PostgreSQL's programs; on Debian it is not in the search path."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    if newest := max(versions, key=lambda path: float(path.parts[-3]), default=None):
        return newest.parent
    raise UserError(
        "PostgreSQL is not installed (apt-get install postgresql), nor is another database named "
        "by MLFLOW_BACKEND_STORE_URI"
    )
