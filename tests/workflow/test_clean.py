"""`make clean` removes the results of a configuration and the caches, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from make_targets import ATTACKS, caches, checkout, configure, finished, make, refusal, write

from graphprune.layout import MARKER, mark


@pytest.fixture
def folder(root: Path, tmp_path: Path) -> Path:
    return checkout(root, tmp_path)


def test_clean_removes_marked_results_and_the_caches(folder: Path) -> None:
    results, cached = finished(folder, "results"), caches(folder)
    done = make(folder, "clean")
    assert done.returncode == 0, done.stderr
    assert not results.exists()
    assert not any(path.parent.exists() for path in cached)
    assert (folder / "workflow/targets.py").exists()
    # nothing is left to remove
    assert make(folder, "clean").returncode == 0


def refused_clean(folder: Path, *kept: Path) -> str:
    """The line of a `make clean` that removes nothing."""
    before = sorted(folder.parent.rglob("*"))
    assert set(kept) <= set(before)
    line = refusal(make(folder, "clean"))
    assert sorted(folder.parent.rglob("*")) == before
    return line


def test_clean_keeps_a_folder_that_is_not_marked(folder: Path) -> None:
    results = finished(folder, "results")
    (results / MARKER).unlink()
    cached = caches(folder)
    line = refused_clean(folder, results / "mlflow.db", *cached)
    assert line.startswith(f"results is 'results', a folder without {MARKER}, ")
    assert "remove the folder yourself" in line


def test_a_folder_named_as_the_marker_marks_nothing(folder: Path) -> None:
    results = finished(folder, "results")
    (results / MARKER).unlink()
    (results / MARKER).mkdir()
    assert f"a folder without {MARKER}" in refused_clean(folder)


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_shell_reads_the_results_in_clean(folder: Path, attack: str) -> None:
    results = finished(folder, attack)
    caches(folder)
    before = set(folder.iterdir())
    # what the words of the name would be to a shell
    for word in ("my", "results", "a", "pwned.txt"):
        write(folder / word / "kept", "")
        before.add(folder / word)
    done = make(folder, "clean")
    assert done.returncode == 0, done.stderr
    gone = {results, folder / ".snakemake", folder / ".mypy_cache"}
    assert set(folder.iterdir()) == before - gone


def test_clean_reads_yaml_in_any_style(folder: Path) -> None:
    other, results = finished(folder, "results"), finished(folder, "elsewhere")
    caches(folder)
    (folder / "config.yaml").write_text("{experiment: a,\n 'results' : \"elsewhere\" }\n")
    assert make(folder, "clean").returncode == 0
    assert other.exists()
    assert not results.exists()


def test_clean_keeps_what_lies_in_the_home_folder(folder: Path) -> None:
    # HOME, see `make`
    home = finished(folder, "../prunes")
    configure(folder, "~/prunes")
    assert refused_clean(folder, home.resolve()).startswith("config.yaml: results is '~/prunes'; ")


@pytest.mark.parametrize("results", [".", "..", "../checkout", "./", "workflow/.."])
def test_clean_keeps_the_working_directory_and_what_is_above(folder: Path, results: str) -> None:
    (folder / MARKER).touch()
    (folder.parent / MARKER).touch()
    configure(folder, results)
    line = refused_clean(folder)
    assert line.startswith(f"config.yaml: results is {results!r}; allowed: another folder than ")


@pytest.mark.parametrize("results", ["link", "link/deep", "link/../outside"])
def test_clean_follows_no_symbolic_link(folder: Path, results: str) -> None:
    outside = folder.parent / "outside"
    for marked in (outside, outside / "deep"):
        write(marked / MARKER, "")
    (folder / "link").symlink_to(outside)
    configure(folder, results)
    line = refused_clean(folder, outside / "deep" / MARKER)
    assert line.startswith(f"results is {results!r}, which a symbolic link leads to {outside}")


def test_clean_removes_a_link_in_the_results_and_keeps_what_it_points_to(folder: Path) -> None:
    results, outside = finished(folder, "results"), write(folder.parent / "outside/kept", "")
    (results / "to a folder").symlink_to(outside.parent)
    (results / "digits/to a file").symlink_to(outside)
    (results / "to nothing").symlink_to("nowhere")
    caches(folder)
    assert make(folder, "clean").returncode == 0
    assert not results.exists()
    assert outside.exists()


def test_clean_keeps_results_that_hold_the_datasets(folder: Path) -> None:
    results = finished(folder, "results")
    configure(folder, "results", data={"folder": "results/data"})
    assert refused_clean(folder, results).startswith("config.yaml: data.folder is 'results/data'; ")


@pytest.mark.parametrize(
    "text",
    [
        "results: [",
        "results: results\nresults: results\n",
        "results: 3\n",
        "results:\n",
        'results: "a\\0"\n',
        "",
        "results: !!python/object/apply:os.system ['touch pwned']\n",
        "results: a*\n",
    ],
)
def test_clean_keeps_all_where_the_configuration_cannot_be_used(folder: Path, text: str) -> None:
    results, cached = finished(folder, "results"), caches(folder)
    (folder / "config.yaml").write_text(text)
    assert refused_clean(folder, results, *cached).startswith("config.yaml: ")


def test_clean_without_an_environment_removes_the_caches_alone(folder: Path) -> None:
    results, cached = finished(folder, "results"), caches(folder)
    shutil.rmtree(folder / ".venv")
    done = make(folder, "clean")
    assert (done.returncode, done.stderr) == (0, "")
    said = "the results stay: without .venv the configuration cannot be read (make setup)"
    assert done.stdout.startswith(f"{said}\n")
    assert results.exists()
    assert not any(path.parent.exists() for path in cached)


def test_a_removal_that_was_interrupted_can_be_repeated(folder: Path) -> None:
    """The marker goes last, whatever the order in which the folder is read."""
    results = finished(folder, "results")
    write(
        folder.parent / "stand-ins/sitecustomize.py",
        "import os, shutil\n"
        "def fails(path, *rest): raise PermissionError(13, 'Permission denied', str(path))\n"
        "shutil.rmtree = fails\n",
    )
    line = refusal(make(folder, "clean"))
    assert line.startswith("results is 'results'; ")
    assert line.endswith(" stays in it: Permission denied")
    assert (results / MARKER).exists()


def test_only_a_new_folder_is_marked(tmp_path: Path) -> None:
    new, old, above = tmp_path / "new", tmp_path / "old", tmp_path / "above"
    old.mkdir()
    (old / "thesis.tex").write_text("years of work")
    for folder in (new, old, above / "tiny", above):
        mark(folder)
        mark(folder)
    assert (new / MARKER).is_file()
    assert not (old / MARKER).exists()
    # a folder of results may lie in another
    assert (above / MARKER).is_file()
