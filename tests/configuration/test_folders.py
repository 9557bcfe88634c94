"""Which folders can hold results: those that `make clean` may remove."""

from __future__ import annotations

from pathlib import Path

import pytest
from configuration.examples import MINIMAL, changed, refusal

from graphprune.configuration.complete import complete
from graphprune.configuration.folders import results_folder
from graphprune.errors import UserError


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "above" / "here"
    folder.mkdir(parents=True)
    (folder / "file").write_text("")
    (folder / "link").symlink_to(folder)
    (folder / "circle").symlink_to("circle")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("results", "sentence"),
    [
        ("", "results is empty"),
        (".", "another folder than the working directory"),
        ("./", "another folder than the working directory"),
        ("..", "another folder than the working directory"),
        ("/", "another folder than the working directory"),
        ("a/..", "another folder than the working directory"),
        ("../here", "another folder than the working directory"),
        ("link", "another folder than the working directory"),
        ("data", "data.folder is 'data'; allowed: a folder outside the results (data)"),
        ("file", "file is a file, and a folder is needed"),
        ("file/below", "file is a file, and a folder is needed"),
        ("circle", "allowed: a folder that can be reached"),
        ("~", "begins with neither ~ nor -"),
        ("~/prunes", "begins with neither ~ nor -"),
        ("-rf", "begins with neither ~ nor -"),
        ("a{b}", "has none of {}*?"),
        ("{results}", "has none of {}*?"),
        ("a*", "has none of {}*?"),
        ("a\0b", "without control characters"),
        ("a\nb", "without control characters"),
        ("a\x85b", "without control characters"),
        ("a\u2028b", "without control characters"),
        ("a" * 256, "names of at most 255 bytes"),
        ("é" * 128, "names of at most 255 bytes"),
        ("a/" * 501, "at most 1000 characters"),
        ("\ud800", "text in Unicode"),
        (5, "results is 5; allowed: a value of type string"),
        (None, "results is None; allowed: a value of type string"),
        (["results"], "results is ['results']; allowed: a value of type string"),
    ],
)  # fmt: skip
def test_refused(results: object, sentence: str) -> None:
    message = refusal(changed(["results"], results))
    assert sentence in message
    # asked for the folder alone, the same is said
    with pytest.raises(UserError) as caught:
        results_folder({"results": results})
    assert f"config: {caught.value}" == message


HERE = (
    "allowed: another folder than the working directory and those above it, for `make clean` "
    "removes the results"
)
LETTERS = "allowed: a path that begins with neither ~ nor - and has none of {}*?"


@pytest.mark.parametrize(
    ("results", "sentence"),
    [
        ("..", f"results is '..'; {HERE}"),
        ("-rf", f"results is '-rf'; {LETTERS}"),
        ("a?", f"results is 'a?'; {LETTERS}"),
        ("é" * 128, f"results is '{'é' * 38}…{'é' * 39}'; allowed: names of at most 255 bytes"),
        ("file/below", "results is 'file/below'; {here}/file is a file, and a folder is needed"),
        ("circle", "results is 'circle'; allowed: a folder that can be reached (Symlink loop from "
         "'{here}/circle')"),
        ("data/", "data.folder is 'data'; allowed: a folder outside the results (data/), for "
         "`make clean` removes them"),
    ],
)  # fmt: skip
def test_sentences_in_full(results: str, sentence: str) -> None:
    found = refusal(changed(["results"], results)).replace(f"{Path.cwd()}", "{here}")
    assert found == f"config: {sentence}"


def test_a_folder_that_is_closed_is_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", closed)
    with pytest.raises(UserError) as caught:
        results_folder({"results": "mine"})
    assert str(caught.value) == (
        "results is 'mine'; allowed: a folder that can be reached (Permission denied)"
    )


def test_names_of_255_bytes_and_folders_that_exist_are_allowed() -> None:
    Path("there/below").mkdir(parents=True)
    for results in ("a" * 255, "x/" + "a" * 255, "there", "there/below/new"):
        assert results_folder({"results": results}) == results
    data = changed(["data", "folder"], "there")
    assert complete({**data, "results": "there2"})["data"]["folder"] == "there"
    assert "data.folder is 'there'" in refusal({**data, "results": "there"})


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ("results", "results"),
        ("results/", "results"),
        ("./results//mine/.", "results/mine"),
        ("../other", "../other"),
        ("my results", "my results"),
        ("results'; touch pwned; '", "results'; touch pwned; '"),
        ("$HOME", "$HOME"),
        ("é" * 127, "é" * 127),
        ("..results", "..results"),
    ],
)
def test_allowed(results: str, expected: str) -> None:
    assert complete(changed(["results"], results))["results"] == expected
    assert results_folder({"results": results}) == expected


def test_an_absolute_folder_outside_is_allowed(tmp_path: Path) -> None:
    assert complete(changed(["results"], f"{tmp_path}/out/"))["results"] == f"{tmp_path}/out"


def test_the_folder_above_the_working_directory_is_refused_by_its_full_path(tmp_path: Path) -> None:
    assert "working directory" in refusal(changed(["results"], str(tmp_path)))


def test_data_below_the_results_would_be_removed_with_them() -> None:
    config = changed(["data", "folder"], "results/sets")
    assert "data.folder is 'results/sets'; allowed: a folder outside" in refusal(config)


def test_asking_for_the_folder_runs_no_plugin_and_sees_no_other_key(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text("raise RuntimeError('it ran')")
    config = {**MINIMAL, "plugins": [str(plugin)], "seeds": "none", "results": "mine"}
    assert results_folder(config) == "mine"
    assert results_folder({}) == "results"
    config["seeds"] = [0]
    assert "it ran" in refusal(config)
