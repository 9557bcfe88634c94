"""The files of trainings that still run."""

from __future__ import annotations

import time
from pathlib import Path

from live_curves import GROUP, curve, rows

from graphprune.training.live import running


def test_a_file_holds_the_rows_while_the_training_runs(tmp_path: Path) -> None:
    with curve(tmp_path) as write:
        (one,) = running(tmp_path, 0)
        assert (one.unit, one.group, one.stage, one.rows) == (GROUP, GROUP, "train", ())
        for row in rows(2):
            write(row)
        with write.path.open("a") as stream:
            stream.write('{"epoch": 3, "lo')
        (one,) = running(tmp_path, 0)
        assert list(one.rows) == rows(2)
        assert running(tmp_path, time.time() + 60) == []
    assert running(tmp_path, 0) == []
    assert list(write.path.parent.iterdir()) == []


def test_a_disk_that_takes_nothing_does_not_stop_the_training(tmp_path: Path) -> None:
    (tmp_path / "live").write_text("a file where the folder should be")
    with curve(tmp_path) as write:
        write({"epoch": 1, "loss": 0.5})
    assert running(tmp_path, 0) == []
