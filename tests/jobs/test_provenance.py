"""Which source made a result, and where its jobs ran."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from pathlib import Path

import pytest

from graphprune.jobs.provenance import ARCHIVED, SCHEDULERS, place, places, source_state


def test_the_source_state_names_commit_and_changes(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *arguments], check=True)

    assert source_state(tmp_path) == {"commit": "unknown"}
    git("init", "-q")
    (tmp_path / "code.py").write_text("x")
    git("add", "code.py")
    git("commit", "-qm", "first")
    clean = source_state(tmp_path)
    assert len(clean["commit"]) == 40
    assert clean["dirty"] == "false"
    (tmp_path / "code.py").write_text("changed")
    assert source_state(tmp_path) == {"commit": clean["commit"], "dirty": "true"}


def test_an_unpacked_archive_says_the_commit_that_was_archived(tmp_path: Path) -> None:
    code = tmp_path / "graphprune/code.py"
    code.parent.mkdir()
    code.write_text("x")
    (tmp_path / "README.md").write_text("x")
    files = dict.fromkeys(["graphprune/code.py", "README.md"], hashlib.sha256(b"x").hexdigest())
    said = {"commit": "a" * 40, "dirty": "false", "files": files}
    (tmp_path / ARCHIVED).write_text(json.dumps(said))
    clean = {"commit": "a" * 40, "dirty": "false"}
    assert source_state(code.parent, ".", "../workflow") == clean
    (tmp_path / "README.md").write_text("changed")
    assert source_state(code.parent, ".", "../workflow") == clean
    assert source_state(code.parent)["dirty"] == "true"
    code.unlink()
    assert source_state(code.parent, ".", "../workflow") == {"commit": "unknown"}
    code.write_text("changed")
    assert source_state(code.parent, ".", "../workflow")["dirty"] == "true"
    (tmp_path / ARCHIVED).write_text(json.dumps({**said, "dirty": "true"}))
    code.write_text("x")
    assert source_state(code.parent, ".", "../workflow")["dirty"] == "true"
    (tmp_path / ARCHIVED).write_text("[]")
    assert source_state(code.parent) == {"commit": "unknown"}


def test_a_job_says_its_place_and_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in SCHEDULERS.values():
        monkeypatch.delenv(variable, raising=False)
    path = tmp_path / "job.log"
    path.write_text(f"2026-01-01 INFO started on {place()}\n")
    assert places([path]) == {"host": platform.node()}
    monkeypatch.setenv("PBS_JOBID", "12.server")
    path.write_text(f"2026-01-01 INFO started on {place()}\n")
    assert places([path]) == {"host": platform.node(), "scheduler_job": "12.server"}


def test_places_of_several_jobs(tmp_path: Path) -> None:
    logs = [tmp_path / "finetune.log", tmp_path / "score.log"]
    for path, host, job in zip(logs, ("node2", "node3"), (9, 10), strict=True):
        began = f"2026-01-01 00:00:00,000 INFO started on {host}"
        path.write_text(f"{began}\n2026-01-01 00:00:01,000 INFO x\n{began}, Slurm job {job}\n")
    assert places(logs) == {"host": "node2 node3", "scheduler_job": "10 9"}
    silent = tmp_path / "silent.log"
    silent.write_text("2026-01-01 INFO nothing about a place\n")
    assert places([silent]) == {}
