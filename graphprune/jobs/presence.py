"""Which runs of the workflow live in a folder, and which were killed there.

Every run holds a shared lock (flock) on one file for as long as its process lives; the kernel takes
it back however the process ends. A note beside it says who the run is and is removed at the run's
normal end. So if nobody else holds the lock, the notes that remain are of runs that were killed.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import json
import os
import platform
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TextIO, TypeVar

from graphprune.errors import UserError
from graphprune.files import write_json

P = ParamSpec("P")
R = TypeVar("R")

FOLDER = ".snakemake/graphprune"
# what a file system answers that knows no flock
_UNKNOWN = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@dataclass(frozen=True)
class Note:
    """A run of the workflow.

    host: name of its machine. pid: its process there. user: numeric id of the user. results: folder
    of all outputs. cluster: whether it gives its jobs to a scheduler, so that they outlive it.
    """

    host: str
    pid: int
    user: int
    results: str
    cluster: bool

    @staticmethod
    def own(results: str, cluster: bool) -> Note:
        """The note of this process."""
        return Note(platform.node(), os.getpid(), os.getuid(), results, cluster)


class Presence:
    """This process among the runs of the workflow in one folder.

    folder: for the notes and the two files that are locked. own: the note of this process.
    waiting: called if another run is just starting and this one has to wait for it.

    ``gate`` is held from the entry until ``open_gate``, so that runs start one after the other:
    between the look at a lock and its taking there is nobody else. The entry raises UserError if
    ``folder`` cannot be written.

    >>> with Presence(Path(".snakemake/graphprune"), Note.own("results", False)) as presence:
    ...     killed = presence.killed
    """

    def __init__(self, folder: Path, own: Note, waiting: Callable[[], None] = lambda: None) -> None:
        self.folder = folder
        self.own = own
        self.waiting = waiting
        self.alone = False
        self.others: Mapping[Path, Note | None] = {}
        # a number of a process comes again, in a container soon
        self._path = folder / f"{own.host}-{own.pid}-{uuid.uuid4().hex[:8]}.json"
        self._gate: TextIO | None = None
        self._alive: TextIO | None = None

    def __enter__(self) -> Presence:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._enter()
        except OSError as error:
            self._close()
            raise _unusable(self.folder, error) from error
        except BaseException:
            self._close()
            raise
        return self

    @property
    def killed(self) -> list[Note]:
        """The runs that were killed here, if nothing but this machine has to be cleaned up.

        Empty if another run lives, or if one of the notes is of another machine, of another user,
        of a run on a cluster, or cannot be read.
        """
        known = [note for note in self.others.values() if note is not None]
        if self.alone and len(known) == len(self.others) and all(map(self._is_local, known)):
            return known
        return []

    def write(self) -> None:
        """Leave the note of this run; UserError if it cannot be written."""
        try:
            write_json(self._path, asdict(self.own))
        except OSError as error:
            raise _unusable(self.folder, error) from error

    def forget(self) -> None:
        """Remove the notes of the others, whose remains are cleaned up."""
        for path in self.others:
            path.unlink(missing_ok=True)

    def open_gate(self) -> None:
        """Let the next run start; to be called when this one has locked its files."""
        if self._gate is not None:
            self._gate.close()

    def advice(self) -> str:
        """What to do if the files are locked, in one line."""
        seen = [note for note in self.others.values() if note is not None]
        if elsewhere := [note for note in seen if note.host != self.own.host]:
            one = elsewhere[0]
            return (
                f"process {one.pid} on {one.host} began a run in this folder and has not ended it; "
                "if it runs no more: make recover"
            )
        if not self.alone:
            living = [str(note.pid) for note in seen if Path(f"/proc/{note.pid}").exists()]
            return f"another run works in this folder ({_process(living)}); wait for its end"
        if any(note.cluster for note in seen):
            return "a run on a cluster was killed; its jobs may go on: make recover PROFILE=slurm"
        if foreign := [note for note in seen if note.user != self.own.user]:
            return f"a run of user {foreign[0].user} was killed; that user can go on: make recover"
        return "nothing says which run locked them; if none runs, on no machine: make recover"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._path.unlink(missing_ok=True)
        self._close()

    def _enter(self) -> None:
        # children get neither: Python's files are not inherited by other programs
        self._gate = (self.folder / "gate").open("a")
        self._alive = (self.folder / "alive").open("a")
        self._lock(self._gate, self._alive)
        self.others = notes(self.folder)

    def _lock(self, gate: TextIO, alive: TextIO) -> None:
        try:
            if not _try_exclusive(gate):
                self.waiting()
                fcntl.flock(gate, fcntl.LOCK_EX)
            self.alone = _try_exclusive(alive)
            # nobody comes between: only the holder of the gate asks for this lock
            fcntl.flock(alive, fcntl.LOCK_SH)
        except OSError as error:
            if error.errno not in _UNKNOWN:
                raise
            # nothing is known of others, and nothing of theirs is touched
            self.alone = False

    def _close(self) -> None:
        for file in (self._gate, self._alive):
            if file is not None:
                file.close()

    def _is_local(self, note: Note) -> bool:
        return (note.host, note.user) == (self.own.host, self.own.user) and not note.cluster


def during(
    context: Callable[P, AbstractContextManager[object]], function: Callable[P, R]
) -> Callable[P, R]:
    """``function``, every call of it inside the context made from the same arguments.

    >>> during(lambda path: open("lock", "a"), print)("printed while the file is open")
    """

    @functools.wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with context(*args, **kwargs):
            return function(*args, **kwargs)

    return inner


def notes(folder: Path) -> dict[Path, Note | None]:
    """The notes in ``folder``; None for one that cannot be read.

    >>> notes(Path(".snakemake/graphprune"))
    {PosixPath('.snakemake/graphprune/n1-4711-0a1b2c3d.json'): Note(host='n1', pid=4711, ...)}
    """
    # a name that begins with a point is a note that was not written to its end
    return {path: _read(path) for path in sorted(folder.glob("[!.]*.json"))}


def forget_all(folder: Path) -> None:
    """Remove all notes: no run lives that left one.

    >>> forget_all(Path(".snakemake/graphprune"))
    """
    for path in folder.glob("*.json"):
        path.unlink(missing_ok=True)


def _read(path: Path) -> Note | None:
    try:
        note = Note(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    types = (str, int, int, str, bool)
    return note if tuple(map(type, asdict(note).values())) == types else None


def _unusable(folder: Path, error: OSError) -> UserError:
    return UserError(f"{folder}: {error.strerror}; make room or make it writable, then run again")


def _try_exclusive(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _process(pids: Sequence[str]) -> str:
    return f"process {', '.join(pids)}" if pids else "its process is not known"
