"""The files of trainings that still run."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest
from live_curves import GROUP, LABELS, curve, rows

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


def test_a_curve_lies_in_a_file_of_its_unit_and_says_what_it_is_of(tmp_path: Path) -> None:
    results = tmp_path / "deep" / "results"
    before = time.time()
    with curve(results, f"{GROUP}/rgp/c2", "finetune", method="rgp") as write:
        assert write.path.name == "digits-mlp-seed0-rgp-c2.jsonl"
        (one,) = running(results, 0)
        assert (one.unit, one.stage) == (f"{GROUP}/rgp/c2", "finetune")
        assert one.group == GROUP
        assert one.labels == {**LABELS, "method": "rgp"}
        assert before <= one.started <= time.time()


def test_all_curves_are_found_in_the_order_of_their_names(tmp_path: Path) -> None:
    with curve(tmp_path, "d/m/seed2") as second, curve(tmp_path, "d/m/seed1") as first:
        first.path.with_name("a.jsonl").write_text("no curve\n")
        first.path.with_name("b.txt").write_text(first.path.read_text())
        assert [one.unit for one in running(tmp_path, 0)] == ["d/m/seed1", "d/m/seed2"]
        os.utime(first.path, (1000.0, 1000.0))
        os.utime(second.path, (2000.0, 2000.0))
        assert [one.unit for one in running(tmp_path, 1000.0)] == ["d/m/seed1", "d/m/seed2"]
        assert [one.unit for one in running(tmp_path, 1000.5)] == ["d/m/seed2"]


def test_a_file_that_was_removed_stays_so(tmp_path: Path) -> None:
    with curve(tmp_path) as write:
        write.path.unlink()
        write({"epoch": 1})
        assert not write.path.exists()


def test_rows_and_a_file_that_cannot_be_written_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="graphprune")
    with curve(tmp_path) as write:
        write({"epoch": 1, "loss": 0.5})
    assert caplog.messages == ["{'epoch': 1, 'loss': 0.5}"]
    caplog.clear()
    (tmp_path / "live").rmdir()
    (tmp_path / "live").write_text("a file where the folder should be")
    with curve(tmp_path) as write:
        pass
    assert caplog.messages == [f"{write.path} cannot be written; the curve is not shown live"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_disk_that_takes_nothing_does_not_stop_the_training(tmp_path: Path) -> None:
    (tmp_path / "live").write_text("a file where the folder should be")
    with curve(tmp_path) as write:
        write({"epoch": 1, "loss": 0.5})
    assert running(tmp_path, 0) == []
