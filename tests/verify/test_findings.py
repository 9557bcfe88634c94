"""What goes wrong while a file is read is a finding that names it."""

from __future__ import annotations

import pytest

from graphprune.errors import UserError
from graphprune.verify.findings import Findings


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("a.json: no such file"), "a.json: no such file"),
        (IsADirectoryError(21, "Is a directory", "a"), "a: Is a directory; expected metrics"),
        (KeyError("layers"), "a.json: is not metrics (KeyError: 'layers')"),
        (TypeError("no\nnumber"), "a.json: is not metrics (TypeError: no number)"),
        (ZeroDivisionError("by 0"), "a.json: is not metrics (ZeroDivisionError: by 0)"),
    ],
)
def test_an_error_is_a_line(error: Exception, line: str) -> None:
    findings = Findings()
    for _ in range(2):
        with findings.reading("a.json", "metrics"):
            raise error
    assert findings.wrong == [line]


def test_a_fault_of_the_program_is_none() -> None:
    with pytest.raises(RuntimeError), Findings().reading("a.json", "metrics"):
        raise RuntimeError
