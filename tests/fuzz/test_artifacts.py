"""Damaged, foreign and hostile files: the same data comes back, or one line names the file."""

from __future__ import annotations

import pickle
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fuzz.amounts import amount, tried
from fuzz.artifacts import READERS, Files, frozen, kind_of
from fuzz.mutations import MUTATION, mutate, restore
from hypothesis import given

from graphprune.errors import UserError

# who seals a file again is believed; whoever reads it must still not break
FORGED = ("edit sealed", "remove sealed")
FEW, MANY = 20, 320


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("artifacts"))


def test_ten_thousand_files_are_tried_in_full() -> None:
    assert MANY * len(READERS) >= 10_000


@pytest.mark.parametrize(
    "name",
    list(READERS),
)
def test_a_changed_file(files: Files, name: str) -> None:
    reader = READERS[name]
    path = Path(reader.file(files))
    content, before = path.read_bytes(), frozen(reader.read(files))
    others = [other for other in files.every() if kind_of(other) != kind_of(path)]
    sentinel = files.results.parent / "pwned"
    outcomes: Counter[str] = Counter()

    @tried(FEW, MANY)
    @given(MUTATION)
    def check(mutation: tuple[Any, ...]) -> None:
        after, message = None, ""
        try:
            mutate(path, mutation, others, sentinel)
            after = frozen(reader.read(files))
        except UserError as error:
            message = str(error)
        finally:
            restore(path, content)
        assert not sentinel.exists()
        outcomes["refused" if message else "read"] += 1
        if message:
            assert message.isprintable(), ascii(message)
            assert len(message) < 1500
            named = (str(path.parent) if reader.of_folder else path.name) in message
            assert named or mutation[0] in FORGED
        elif reader.sealed and mutation[0] not in FORGED:
            assert after == before or (reader.any_kind and mutation[0] == "swap")

    check()
    print(f"{name}: {dict(outcomes)}")
    # hypothesis tries no case twice
    assert sum(outcomes.values()) >= 0.9 * amount(FEW, MANY)
    assert frozen(reader.read(files)) == before


@pytest.mark.parametrize("name", READERS)
def test_a_pickle_in_place_of_a_file_never_runs(files: Files, name: str) -> None:
    reader = READERS[name]
    path = Path(reader.file(files))
    content = path.read_bytes()
    sentinel = files.results.parent / "pwned"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        mutate(path, ("pickle", protocol), [], sentinel)
        try:
            # which error it is, the other test looks at
            with suppress(Exception):
                reader.read(files)
        finally:
            written = path.read_bytes()
            restore(path, content)
        assert not sentinel.exists()
    # it would have run
    pickle.loads(written)
    sentinel.rmdir()
