"""Configuration files: what YAML says is what is read, or one line says why not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from configuration.examples import MINIMAL
from hypothesis import given, settings
from hypothesis import strategies as st

from graphprune.configuration import reading
from graphprune.configuration.reading import MOST_VALUES, read
from graphprune.errors import UserError

FILE = "c.yaml"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refusal(text: str | bytes) -> str:
    Path(FILE).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as caught:
        read(FILE)
    message = str(caught.value)
    assert message.startswith(f"{FILE}: ")
    assert message.isprintable()
    assert len(message) < 400
    return message


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: key 'a' stands twice; each is allowed once"),
        ('"a": 1\na: 2\n', "line 2: key 'a' stands twice"),
        ("a:\n  b: {c: 1, c: 1}\n", "line 2: key 'c' stands twice"),
        ("- {a: 1}\n- {a: 1, a: 2}\n", "line 2: key 'a' stands twice"),
        ("<<: {a: 1}\n<<: {a: 2}\n", "line 2: key '<<' stands twice"),
        ("methods:\n  no: {}\n", "line 2: key no is no text; write it in quotes or rename it"),
        ("12: {}\n", "line 1: key 12 is no text"),
        ("null: 1\n", "line 1: key null is no text"),
        ("~: 1\n", "line 1: key ~ is no text"),
        ("2026-01-01: 1\n", "line 1: key 2026-01-01 is no text"),
        ("? [a]\n: 1\n", "line 1: key of several values is no text"),
        ("? !odd \"a\\nb\"\n: 1\n", "line 1: key a\\nb is no text"),
        ("a: &x [*x]\n", "line 1: a value holds itself"),
        ("&x {a: *x}\n", "line 1: a value holds itself"),
        ("a: !!python/object/apply:os.system [true]\n", "no YAML (could not determine a construct"),
        ("a: [\n", "no YAML (while parsing"),
        ("\ta: 1\n", "no YAML (while scanning"),
        ("a: \x00\n", "no YAML (unacceptable character"),
        ("a: 2026-99-01\n", "no YAML (month must be"),
        ("a: " + "9" * 5000, "no YAML (Exceeds the limit"),
        ("[" * 3000, "no YAML (maximum recursion depth"),
        ("--- {a: 1}\n--- {b: 1}\n", "no YAML (expected a single document"),
        (b"\xff\xfe", "no YAML ('utf-8' codec"),
        ("[1]\n", "holds list; expected keys and their values"),
        ("", "holds NoneType; expected keys"),
        ("__use_yte__: true\n", "allowed: values alone, no code"),
    ],
)  # fmt: skip
def test_refused_in_one_line(text: str | bytes, sentence: str) -> None:
    assert sentence in refusal(text)


def test_aliases_cannot_make_a_huge_value() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for level in range(1, 30):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    assert f"more than {MOST_VALUES} values" in refusal("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a: 1\n", 2),
        ("a: [1, 2, 3]\nb: {c: 4}\n", 1 + 4 + 2),
        # what an alias stands for counts each time
        ("a: &x [1, 2]\nb: *x\nc: {d: *x}\n", 1 + 3 + 3 + 4),
    ],
)
def test_as_many_values_as_are_allowed(
    text: str, values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(FILE).write_text(text)
    monkeypatch.setattr(reading, "MOST_VALUES", values)
    assert read(FILE) == yaml.safe_load(text)
    monkeypatch.setattr(reading, "MOST_VALUES", values - 1)
    assert refusal(text) == (f"{FILE}: its aliases make more than {values - 1} values; write fewer")


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(UserError, match=r"^none\.yaml: No such file or directory; expected a conf"):
        read("none.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("base: &b {x: 1}\nmine: {<<: *b, y: 2}\n", {"base": {"x": 1}, "mine": {"x": 1, "y": 2}}),
        # what is merged may be said again, once
        ("a: &a {x: 1}\nb: &b {<<: *a, x: 2}\nc: {<<: *b}\n",
         {"a": {"x": 1}, "b": {"x": 2}, "c": {"x": 2}}),
        ("a: &a {x: 1}\nw: {y: &b {<<: *a, x: 2}}\nc: {<<: *b}\n",
         {"a": {"x": 1}, "w": {"y": {"x": 2}}, "c": {"x": 2}}),
        ("a: {x: 1}\nb: {x: 1}\n", {"a": {"x": 1}, "b": {"x": 1}}),
        ("'no': 1\n'12': 2\n", {"no": 1, "12": 2}),
        ("a: &x [1]\nb: *x\n", {"a": [1], "b": [1]}),
    ],
)  # fmt: skip
def test_read(text: str, expected: object) -> None:
    Path(FILE).write_text(text)
    assert read(FILE) == expected


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_what_yaml_writes_is_read_as_it_was(config: dict[str, object]) -> None:
    Path(FILE).write_text(yaml.safe_dump(config))
    assert read(FILE) == config


def test_a_configuration_survives_being_written() -> None:
    Path(FILE).write_text(yaml.safe_dump(MINIMAL))
    assert read(FILE) == MINIMAL
