"""Files are written whole or not at all."""

import pytest

from graphprune.files import atomic, read_json, write_csv, write_json


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "t.json"
    write_json(path, {"a": 1})

    def fail_half_way():
        with atomic(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()
    assert path.read_text() == '{\n  "a": 1\n}\n'
    assert [file.name for file in tmp_path.iterdir()] == ["t.json"]
    write_csv(tmp_path / "t.csv", [{"x": 1, "y": 2.5}])
    assert (tmp_path / "t.csv").read_text().split() == ["x,y", "1,2.5"]


def test_keys_that_are_numbers_read_back_as_they_are_written(tmp_path):
    path = tmp_path / "report.json"
    write_json(path, {"layers": {number: number for number in range(12)}}, {"by": "test"})
    value, _ = read_json(path, "a report")
    assert list(value["layers"]) == [str(number) for number in range(12)]
