"""Files of the comparison that are not what they should be are refused in one line."""

from __future__ import annotations

import json
import math
from copy import deepcopy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from comparison.comparison_files import (
    HISTORY,
    LATENCY,
    UNIT,
    changed,
    write_metrics,
    write_table,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphprune.comparison import reading, removal, tables
from graphprune.errors import UserError

few = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
NAN = float("nan")


def check_line(error: UserError, path: Path) -> None:
    assert str(error).startswith(str(path))
    assert "\n" not in str(error)
    assert len(str(error)) < 700


def refusal(path: Path, read: Any, *arguments: Any) -> str:
    """The one line in which ``read`` refuses the file ``path``."""
    with pytest.raises(UserError) as caught:
        read(path, *arguments)
    check_line(caught.value, path)
    return str(caught.value)


def test_a_valid_row_is_read_as_it_was_written(tmp_path):
    assert reading.metrics(write_metrics(tmp_path / "metrics.json", UNIT)) == UNIT
    noted = changed(report={"bound": math.inf})
    assert reading.metrics(write_metrics(tmp_path / "noted.json", noted)) == noted


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"accuracy_finetuned": 7}, "accuracy_finetuned is 7; allowed: <= 1"),
        ({"accuracy_pruned": NAN}, "accuracy_pruned is nan; allowed: a finite number"),
        ({"accuracy_dense": True}, "accuracy_dense is True; allowed: a value of type number"),
        ({"accuracy_dense": "0.9"}, "accuracy_dense is '0.9'; allowed: a value of type number"),
        ({"accuracy_dense": None}, "accuracy_dense is None; allowed: a value of type number"),
        ({"seconds_score": math.inf}, "seconds_score is inf; allowed: a finite number"),
        ({"seconds_finetune": -1.0}, "seconds_finetune is -1.0; allowed: >= 0"),
        ({"params_kept": 0}, "params_kept is 0; allowed: >= 1"),
        ({"params_kept": 101}, "params_kept is 101; allowed: <= params_total"),
        ({"params_kept": 50.5}, "params_kept is 50.5; allowed: a value of type integer"),
        ({"flops_kept": 201}, "flops_kept is 201; allowed: <= flops_total"),
        ({"flops_kept": 99}, "flops_kept is 99; the layers' add up to 100"),
        ({"flops_kept": -1}, "flops_kept is -1; allowed: >= 0"),
        ({"file_size_kept": 0}, "file_size_kept is 0; allowed: >= 1"),
        ({"epochs": 2**70}, "epochs is 1180591620717411303424; allowed: < 9223372036854775808"),
        ({"sparsity": 0.6}, "sparsity is 0.6; expected 1 - params_kept / params_total = 0.5"),
        ({"compression": 0.5}, "compression is 0.5; allowed: >= 1"),
        ({"regime": "rewind"}, "regime is 'rewind'; allowed: finetune, scratch"),
        ({"seed": -1}, "seed is -1; allowed: >= 0"),
        ({"method": ""}, "method is empty"),
        ({"report": []}, "report is []; allowed: a value of type object"),
        ({"report": {"loss": "low"}}, "report.loss is 'low'; allowed: a value of type number"),
        ({"layers": []}, "layers is empty; at least 1 is needed"),
        ({"layers": {}}, "layers is {}; allowed: a value of type array"),
        ({"layers": [[1]]}, "layers[0] is [1]; allowed: a value of type object"),
        ({"layers": [{"layer": "a", "density": 0.5}]}, "key layers[0].flops_kept is missing"),
        ({"layers": 2 * UNIT["layers"][:1]}, "layers name a layer twice"),
        ({"colour": "red"}, "colour is 'red'; allowed keys here: accuracy_dense"),
    ],
)
def test_a_row_that_cannot_be_is_refused(tmp_path, changes, sentence):
    path = write_metrics(tmp_path / "metrics.json", changed(**changes))
    assert f": not the metrics of a unit: {sentence}" in refusal(path, reading.metrics)


@pytest.mark.parametrize("column", list(UNIT))
def test_a_missing_column_is_named(tmp_path, column):
    less = {key: value for key, value in UNIT.items() if key != column}
    path = write_metrics(tmp_path / "metrics.json", less)
    assert f"key {column} is missing" in refusal(path, reading.metrics)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"7", b"null", b'"row"', b"{", b"\xff\xfe{}", b"[" * 5000, b"{}", b"\x00"],
)
def test_what_is_no_row_is_refused(tmp_path, content):
    path = tmp_path / "metrics.json"
    path.write_bytes(content)
    assert "the metrics of a unit" in refusal(path, reading.metrics)


def test_missing_and_huge_files_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "none"
    for read in (reading.metrics, reading.history, reading.latencies):
        assert "no such file" in refusal(path, read)
        assert "cannot be read" in refusal(tmp_path, read)
    assert "no such file" in refusal(path, reading.table, ["a"], "a table")
    path.write_bytes(b"x" * 101)
    monkeypatch.setattr(reading, "LARGEST", 100)
    for read in (reading.metrics, reading.history, reading.latencies):
        assert "holds 101 bytes" in refusal(path, read)


def test_a_history_is_whole_or_refused(tmp_path):
    path = write_table(tmp_path / "history.csv", HISTORY)
    assert reading.history(path) == reading.history(path, 3) == HISTORY
    assert "holds 3 epochs; expected the 4 planned" in refusal(path, reading.history, 4)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refusal(path, reading.history, 3)
    none = tmp_path / "none.csv"
    none.write_bytes(reading.NO_ROWS)
    assert reading.history(none, 0) == []
    assert "holds 0 epochs; expected the 3 planned" in refusal(none, reading.history, 3)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (HISTORY[::-1], "epoch 3 is out of order"),
        (HISTORY[1:], "epoch 2 is out of order"),
        ([HISTORY[0], HISTORY[0]], "epoch 1 is out of order"),
        ([{**HISTORY[0], "epoch": "1.5"}], "line 2: not the history of a training: epoch is '1.5'"),
        ([{**HISTORY[0], "loss": NAN}], "loss is 'nan'; allowed: a finite number"),
        ([{**HISTORY[0], "loss": ""}], "loss is ''; allowed: a value of type number"),
        ([{**HISTORY[0], "seconds": -1}], "seconds is '-1'; allowed: >= 0"),
        ([{**HISTORY[0], "accuracy_train": 1.5}], "accuracy_train is '1.5'; allowed: <= 1"),
        ([{**HISTORY[0], "test": 1}], "test is '1'; allowed keys here"),
        ([{"epoch": 1}], "key learning_rate is missing"),
    ],
)
def test_odd_histories_are_refused(tmp_path, rows, sentence):
    assert sentence in refusal(write_table(tmp_path / "history.csv", rows), reading.history)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"epoch,epoch\n1,1\n", "names a column twice"),
        (b"epoch\n", "holds no row"),
        (b"epoch,loss\n1\n", "line 2 has 1 values; expected 2"),
        (b"epoch\n\xff\n", "cannot be read"),
        (b'epoch\n"1\n', "cannot be read"),
        (b"epoch," + b"9" * 200_000 + b"\n1,1\n", "cannot be read"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, content, sentence):
    path = tmp_path / "history.csv"
    path.write_bytes(content)
    assert sentence in refusal(path, reading.history)


def curves(**changes: Any) -> list[dict[str, Any]]:
    return [
        {"order": order, "removed": share, "accuracy": 0.5, "seed": 0, **changes}
        for order in removal.ORDERS
        for share in removal.SHARES
    ]


def test_removal_curves_are_read_whole_once_each(tmp_path):
    paths = [write_table(tmp_path / f"{seed}.csv", curves(seed=seed)) for seed in (0, 1)]
    found = removal.read(paths)
    assert found.to_dict("records") == [*curves(seed=0), *curves(seed=1)]
    with pytest.raises(UserError, match=r"0\.csv: holds seed 0 once more"):
        removal.read([paths[0], paths[0]])
    for rows, sentence in (
        (curves()[:-1], "holds 79 rows; expected for each of the orders most positive first"),
        ([*curves(), curves()[0]], "holds 81 rows"),
        ([*curves()[:-1], {**curves()[0], "seed": 1}], "of several seeds"),
        (curves(accuracy=2), "accuracy is '2'; allowed: <= 1"),
        (curves(order="upwards"), "expected for each of the orders"),
    ):
        path = write_table(tmp_path / "odd.csv", rows)
        assert sentence in refusal(path, lambda one: removal.read([one]))


def test_a_parquet_table_that_is_none_is_refused(tmp_path):
    path = tmp_path / "metrics.parquet"
    for content in (b"", b"PAR1", b"PAR1" + bytes(20) + b"PAR1"):
        path.write_bytes(content)
        assert "cannot be read" in refusal(path, reading.table, ["a"], "a table")
    pd.DataFrame({"a": [1]}).to_parquet(path)
    assert reading.table(path, ["a"], "a table").a.tolist() == [1]
    assert "lacks the column 'b'" in refusal(path, reading.table, ["b"], "a table")
    pd.DataFrame({"a": []}).to_parquet(path)
    assert "is empty" in refusal(path, reading.table, ["a"], "a table")


json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
        st.sampled_from([10**400, -1, 7, "0.9", "", "\ud800", 2**63, 1e308]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)  # fmt: skip


@few
@given(data=st.data())
def test_a_mutated_row_is_refused_or_keeps_every_promise(tmp_path, data):
    row = deepcopy(UNIT)
    for _ in range(data.draw(st.integers(1, 3))):
        place: Any = row
        while True:
            key = data.draw(st.sampled_from(list(place if isinstance(place, dict) else [0])))
            inner = place[key]
            if not (isinstance(inner, dict | list) and inner and data.draw(st.booleans())):
                break
            place = inner
        if data.draw(st.booleans()):
            place[key] = data.draw(json_values)
        elif isinstance(place, dict):
            place[data.draw(st.text(max_size=5))] = place.pop(key)
        if not row:
            break
    path = tmp_path / "metrics.json"
    try:
        path.write_text(json.dumps(row), encoding="utf-8")
        units, layers = tables.tables([path])
    except UserError as error:
        check_line(error, path)
        return
    assert len(units) == 1
    found = units.iloc[0]
    for column in ("accuracy_dense", "accuracy_pruned", "accuracy_finetuned", "sparsity"):
        assert 0 <= found[column] <= 1
    assert found.sparsity == pytest.approx(1 - found.params_kept / found.params_total, abs=1e-9)
    assert layers.flops_kept.sum() == found.flops_kept <= found.flops_total
    assert 0 <= found.seconds_score < math.inf


@few
@given(data=st.data())
def test_a_mutated_table_is_refused_or_holds_times(tmp_path, data):
    unit = write_metrics(tmp_path / "metrics.json", UNIT)
    path = write_table(tmp_path / "latency.csv", LATENCY)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        where = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(st.binary(max_size=3) | st.sampled_from([b"nan", b",", b"\n", b'"']))
        content[where : where + data.draw(st.integers(0, 20))] = piece
    path.write_bytes(content)
    try:
        units, _ = tables.tables([unit], [path])
    except UserError as error:
        check_line(error, path)
        return
    times = units.iloc[0][tables.LATENCIES].tolist()
    assert all(0 < time < math.inf for time in times)
