"""Kills, full disks, closed folders, wrong clocks: one line, nothing lost, then one command.

`make test-faults` kills a run KILLS times; CI does so three times, in the smallest run.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from interrupted_runs import (
    TINY,
    assert_clean,
    begin,
    half_written,
    kill,
    locks,
    results_of,
    wait_for,
)
from planned_jobs import planned
from safetensors.torch import save_file
from torch import ones

from graphprune import checkpoints
from graphprune.errors import UserError
from graphprune.layout import MARKER, UnitPaths

KILLS = int(os.environ.get("KILLS", "3"))
FULL = KILLS > 3
SEED = int(os.environ.get("SEED", "0"))
PATHS = UnitPaths("out", "digits", "mlp", 0, "finetune", "magnitude", 2)
UNIT = PATHS.metrics
NOBODY = 65534
DAY = 86_400


def configured(folder: Path, config: dict[str, Any]) -> list[str]:
    """Snakemake's option for ``config``, written into ``folder``."""
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return ["--configfile", str(folder / "config.yaml")]


def to_the_end(root: Path, folder: Path, *arguments: str, by: list[str] | None = None) -> str:
    """What one command prints that has to succeed."""
    done = run(root, folder, *arguments, by=by)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def run(
    root: Path, folder: Path, *arguments: str, by: list[str] | None = None
) -> subprocess.CompletedProcess[str]:
    """One command; by: what stands before it, to run it as another user."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile")]
    command += ["--directory", str(folder), "--cores", "1", *arguments]
    environment = dict(os.environ)
    if by:
        environment |= {name: str(folder) for name in ("HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR")}
        # git asks for no other owner's checkout, and the artifacts say its commit
        ours = ("safe.directory", str(root))
        names = ("GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0")
        environment |= dict(zip(names, ("1", *ours), strict=True))
    return subprocess.run(
        [*(by or []), *command], capture_output=True, text=True, check=False, env=environment
    )


def refusal(done: subprocess.CompletedProcess[str], reason: str) -> None:
    """A command that failed said why in one line, and showed no traceback."""
    text = done.stdout + done.stderr
    assert done.returncode == 1, text
    assert "Traceback" not in text, text
    lines = [line for line in text.splitlines() if reason in line]
    assert lines, text
    assert all(line.isprintable() for line in lines)


@pytest.fixture(scope="module")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the smallest comparison has made its unit, undisturbed."""
    folder = tmp_path_factory.mktemp("finished")
    to_the_end(root, folder, *configured(folder, TINY), "--", UNIT)
    return folder


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A copy of that folder, made while nothing runs, without Snakemake's memory."""
    return copy_of(finished, tmp_path / "copy")


def copy_of(finished: Path, folder: Path) -> Path:
    shutil.copytree(finished, folder, ignore=shutil.ignore_patterns(".snakemake"))
    return folder


def killed(root: Path, folder: Path, command: list[str], number: random.Random) -> bool:
    """Begin a run and kill it at a random moment; whether it was killed before its end."""
    began = begin(root, folder, *command)
    if number.random() < 0.7:
        wait_for(lambda: locks(folder) or began.poll() is not None)
    time.sleep(number.uniform(0, 6))
    if began.poll() is None:
        kill(began, group=number.random() < 0.5)
        return True
    _, errors = began.communicate()
    assert began.returncode == 0, errors
    return False


def test_killed_at_random_moments_it_ends_with_the_same_bytes(
    root: Path, finished: Path, tmp_path: Path
) -> None:
    # more kills need a longer run
    more: dict[str, Any] = {"compressions": [2, 4], "methods": {"magnitude": {}, "snip": {}}}
    # snip looks at examples that the network gets right
    more["train"] = {"epochs": 5, "learning_rate": 0.1}
    config = {**TINY, **more, "compressions_per_job": 1} if FULL else TINY
    command = configured(tmp_path, config) + ([] if FULL else ["--", UNIT])
    undisturbed = finished
    if FULL:
        undisturbed = tmp_path / "undisturbed"
        undisturbed.mkdir()
        to_the_end(root, undisturbed, *command)
    folder, number, ends = tmp_path / "killed", random.Random(SEED), 0
    folder.mkdir()
    print(f"SEED={SEED} KILLS={KILLS}")
    count = 0
    while count < KILLS:
        if killed(root, folder, command, number):
            count += 1
        else:
            # it came to its end between two kills: something is lost, and made again
            ends += 1
            lost = number.choice(sorted((folder / "out/digits/mlp/seed0").rglob("*.safetensors")))
            shutil.rmtree(lost.parent)
    print(f"{count} kills, {ends} ends before the last command")
    to_the_end(root, folder, *command)
    assert results_of(folder / "out") == results_of(undisturbed / "out")
    assert_clean(folder)
    assert planned(root, folder, *command) == []


def test_times_of_files_play_no_part(root: Path, copied: Path) -> None:
    command = [*configured(copied, TINY), "--", UNIT]
    files = sorted(path for path in (copied / "out").rglob("*") if path.is_file())
    number, now = random.Random(SEED), time.time()
    # in ten years, in 1980, and each at another time
    for moments in (
        [now + 3650 * DAY],
        [10 * 365 * DAY],
        [number.uniform(0, 2 * now) for _ in files],
    ):
        for path, moment in zip(files, moments * len(files), strict=False):
            os.utime(path, (moment, moment))
        assert planned(root, copied, *command) == []


def test_without_snakemakes_memory_a_change_plans_what_it_must(root: Path, copied: Path) -> None:
    assert not (copied / ".snakemake").exists()

    def rules(unit: str, **changes: object) -> set[str]:
        command = [*configured(copied, {**TINY, **changes}), "--", unit]
        jobs = {job.rule for job in planned(root, copied, *command)}
        shutil.rmtree(copied / ".snakemake")
        return jobs

    assert rules(UNIT) == set()
    after = {"finetune", "evaluate"}
    assert rules(UNIT, finetune={"epochs": 2}) == after
    assert rules(UNIT, train={"epochs": 2}) == {"train", "score", "prune", *after}
    other = UnitPaths("out", "digits", "mlp", 1, "finetune", "magnitude", 2).metrics
    assert rules(other, seeds=[1]) == {"train", "score", "prune", *after}
    assert rules(UNIT, seeds=[0, 1]) == set()


def test_results_of_the_previous_version_are_refused_in_one_line(
    root: Path, tmp_path: Path
) -> None:
    mask = tmp_path / PATHS.mask
    mask.parent.mkdir(parents=True)
    save_file({"fc1.weight": ones(3)}, mask, {"graphprune": "mask"})
    (tmp_path / "out" / MARKER).touch()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    command = [*configured(tmp_path, TINY), "--", UNIT]
    for more in ([], ["--dry-run"]):
        done = run(root, tmp_path, *more, *command)
        assert done.returncode == 1
        (line,) = (done.stdout + done.stderr).splitlines()
        assert line.startswith("out: results of another version of graphprune")
        assert "make clean" in line
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before
    with pytest.raises(UserError, match="was written by an older version of graphprune"):
        checkpoints.load(mask, "mask")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that is a disk of its own, of which root says the size."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64M", "none", str(folder)]
    if os.getuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small disk needs root, and the right to mount")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(disk: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)


def on_the_disk(disk: Path) -> tuple[Path, list[str]]:
    """A folder whose results lie on the disk, and the options of a run in it."""
    (disk / "out").mkdir(exist_ok=True)
    (disk.parent / "out").symlink_to("disk/out")
    return disk.parent, configured(disk.parent, TINY)


def test_a_full_disk(root: Path, finished: Path, disk: Path) -> None:
    """There is room for a few small files, and not for the dataset."""
    remount(disk, "size=100k")
    here, options = on_the_disk(disk)
    command = [*options, "--", PATHS.checkpoint]
    refusal(run(root, here, *command), "out/data: No space left on device; make room")
    assert half_written(disk / "out") == []
    assert not (here / PATHS.dataset("digits")).exists()
    remount(disk, "size=64M")
    to_the_end(root, here, *command)
    made, expected = results_of(disk / "out"), results_of(finished / "out")
    assert made.keys() >= {"data/digits.safetensors", "digits/mlp/seed0/dense/history.csv"}
    assert {name: expected[name] for name in made} == made


def test_a_disk_that_is_only_to_be_read(root: Path, finished: Path, disk: Path) -> None:
    shutil.copytree(finished / "out", disk / "out")
    (disk / UNIT).unlink()
    kept = results_of(disk / "out")
    here, options = on_the_disk(disk)
    remount(disk, "ro")
    # something is missing, or what is there is to be made again
    refusal(run(root, here, *options, "--", UNIT), "out: Read-only file system; make room or make")
    configured(here, {**TINY, "finetune": {"epochs": 2}})
    refusal(run(root, here, *options, "--", UNIT), "write-protected; make it writable")
    remount(disk, "rw")
    assert results_of(disk / "out") == kept
    configured(here, TINY)
    to_the_end(root, here, *options, "--", UNIT)
    assert results_of(disk / "out") == results_of(finished / "out")


@pytest.fixture
def stranger() -> Iterator[tuple[Path, list[str]]]:
    """A folder of a user whom permissions bind, and how to run a command as that user."""
    with tempfile.TemporaryDirectory() as name:
        folder, by = Path(name), []
        if not os.getuid():
            if not shutil.which("setpriv"):
                pytest.skip("root may do anything, and there is no setpriv to be another user")
            by = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        yield folder, by


def give(folder: Path, by: list[str]) -> None:
    """Let the folder belong to whom ``by`` runs commands as."""
    for path in [folder, *folder.rglob("*")] if by else []:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


@pytest.mark.parametrize("closed", ["folder", *(["input", "results"] if FULL else [])])
def test_permission_denied(
    root: Path, finished: Path, stranger: tuple[Path, list[str]], closed: str
) -> None:
    above, by = stranger
    folder = copy_of(finished, above / "work")
    (folder / UNIT).unlink()
    places = {
        "folder": (folder / UNIT).parent,
        "input": folder / PATHS.dataset("digits"),
        "results": folder / "out",
    }
    place, kept = places[closed], results_of(folder / "out")
    command = [*configured(folder, TINY), "--", UNIT]
    give(above, by)
    mode = place.stat().st_mode
    place.chmod(0o500 if place.is_dir() else 0o000)
    refused = run(root, folder, *command, by=by)
    place.chmod(mode)
    refusal(refused, "Permission denied")
    assert results_of(folder / "out").items() >= kept.items()
    assert half_written(folder / "out") == []
    to_the_end(root, folder, *command, by=by)
    assert results_of(folder / "out") == results_of(finished / "out")
