"""Runs in one folder: who lives, who was killed, who may start."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, replace

import pytest

from graphprune.errors import UserError
from graphprune.jobs.presence import Note, Presence, during, forget_all, notes

OWN = Note.own("results", cluster=False)
HOLD = """
import sys
from pathlib import Path
from graphprune.jobs.presence import Note, Presence
with Presence(Path(sys.argv[1]), Note.own("results", False)) as presence:
    presence.write()
    presence.open_gate()
    print(flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that runs in the folder."""
    run = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    run.stdout.readline()
    yield run
    run.kill()
    run.communicate()


def test_a_run_that_lives_was_not_killed(tmp_path, other):
    with Presence(tmp_path, OWN) as presence:
        assert not presence.alone
        assert presence.killed == []
        assert f"another run works in this folder (process {other.pid})" in presence.advice()
    other.communicate(b"\n")
    assert list(notes(tmp_path)) == []


def test_a_run_that_was_killed_is_known_until_it_is_forgotten(tmp_path, other):
    other.send_signal(signal.SIGKILL)
    other.wait()
    dead = replace(OWN, pid=other.pid)
    for _ in range(2):
        with Presence(tmp_path, OWN) as presence:
            presence.write()
            assert presence.killed == [dead]
    with Presence(tmp_path, OWN) as presence:
        presence.forget()
    with Presence(tmp_path, OWN) as presence:
        assert presence.alone
        assert presence.killed == []


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"host": "n7"}, "process 4711 on n7 .* make recover"),
        ({"cluster": True}, "on a cluster was killed; .* make recover PROFILE="),
        ({"user": os.getuid() + 1}, f"a run of user {os.getuid() + 1} was killed"),
        ({"pid": "x"}, "nothing says .* make recover"),
    ],
)
def test_what_is_not_only_of_this_machine_is_left_alone(tmp_path, change, advice):
    local = asdict(replace(OWN, pid=4710))
    (tmp_path / "a.json").write_text(json.dumps(local))
    with Presence(tmp_path, OWN) as presence:
        assert presence.killed == [Note(**local)]
    (tmp_path / "b.json").write_text(json.dumps(local | {"pid": 4711} | change))
    with Presence(tmp_path, OWN) as presence:
        assert presence.alone
        assert presence.killed == []
        assert re.search(advice, presence.advice())
    forget_all(tmp_path)
    assert notes(tmp_path) == {}


def test_half_a_note_is_a_run_that_never_began(tmp_path):
    (tmp_path / ".4711.n1-4711-0a.json").write_text('{"host": ')
    with Presence(tmp_path, OWN) as presence:
        assert presence.others == {}
    (tmp_path / "n1-4711-0a.json").write_text('{"host": ')
    with Presence(tmp_path, OWN) as presence:
        assert list(presence.others.values()) == [None]


def test_runs_start_one_after_the_other(tmp_path):
    waits, entered = threading.Event(), threading.Event()

    def second():
        with Presence(tmp_path, OWN, waits.set) as presence:
            assert [note.results for note in presence.others.values()] == ["first"]
            entered.set()

    thread = threading.Thread(target=second)
    with Presence(tmp_path, replace(OWN, results="first")) as presence:
        thread.start()
        assert waits.wait(20)
        # it waits, so it cannot have looked at notes: this one is not yet written
        presence.write()
        assert not entered.is_set()
        presence.open_gate()
        assert entered.wait(20)
        thread.join()


def test_a_program_that_a_run_started_does_not_keep_it_alive(tmp_path):
    with Presence(tmp_path, OWN):
        child = subprocess.Popen(["sleep", "600"], close_fds=False)
    with Presence(tmp_path, OWN) as presence:
        assert child.poll() is None
        assert presence.alone
    child.kill()
    child.wait()


def test_where_files_cannot_be_locked_nobody_counts_as_killed(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text(json.dumps(asdict(OWN)))

    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    with Presence(tmp_path, OWN) as presence:
        assert presence.killed == []


def test_a_folder_that_cannot_be_written_is_named_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file/runs: Not a directory; make room"):
        Presence(tmp_path / "file/runs", OWN).__enter__()


def test_during_a_call_the_context_made_of_its_arguments_holds(tmp_path):
    call = during(lambda value: Presence(tmp_path / value, OWN), lambda value: value * 2)
    assert call("a") == "aa"
    assert (tmp_path / "a/alive").exists()
