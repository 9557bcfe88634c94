"""Every test that docs/guarantees.md names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMED = re.compile(r"`(?P<path>tests/[\w/]+\.py)::(?P<name>\w+)`")
# named before it is there; the mark goes once it is
EXPECTED = "<!-- check -->"
ROWS = [
    line
    for line in (ROOT / "docs/guarantees.md").read_text().splitlines()
    if line.startswith("| ") and "---" not in line and not line.startswith("| promise")
]
PROMISES = [(row, match) for row in ROWS for match in NAMED.finditer(row) if EXPECTED not in row]


def test_every_promise_names_a_test() -> None:
    assert len(PROMISES) >= 30
    assert [row for row in ROWS if not NAMED.search(row)] == []


@pytest.mark.parametrize(
    ("path", "name"), sorted({(match["path"], match["name"]) for _, match in PROMISES})
)
def test_it_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text())
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert name in tests
