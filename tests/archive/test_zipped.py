"""Archives: bytes that depend on names and contents alone."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from graphprune.archive.entries import Entry
from graphprune.archive.zipped import write
from graphprune.errors import UserError


def test_times_order_and_place_do_not_count(tmp_path: Path) -> None:
    archives = []
    for place, time in (("one", 10**9), ("other", 1.5e9)):
        file = tmp_path / place / "a.txt"
        file.parent.mkdir()
        file.write_text("a")
        os.utime(file, (time, time))
        entries = [Entry("b/run.sh", b"b", executable=True), Entry("a.txt", file)]
        write(tmp_path / f"{place}.zip", entries if place == "one" else entries[::-1])
        archives.append((tmp_path / f"{place}.zip").read_bytes())
    assert archives[0] == archives[1]
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.namelist() == ["a.txt", "b/run.sh"]
        assert archive.read("b/run.sh") == b"b"
        assert [info.external_attr >> 16 for info in archive.infolist()] == [0o100644, 0o100755]


def test_a_file_that_is_gone_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.txt: No such file"):
        write(tmp_path / "a.zip", [Entry("gone.txt", tmp_path / "gone.txt")])
    assert list(tmp_path.iterdir()) == []
