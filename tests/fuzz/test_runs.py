"""Generated configurations given to the real Snakefile: they are planned, or run, or refused."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from fuzz.amounts import FULL, amount, tried
from fuzz.configurations import configurations
from hypothesis import given, reject
from workflow_runs import snakemake

from graphprune.configuration.complete import complete
from graphprune.configuration.reading import read
from graphprune.errors import UserError
from graphprune.methods.catalog import method_class
from graphprune.plugins import only_plugins

TRACEBACK = "Traceback (most recent call last)"


def written(config: dict[str, Any], folder: Path) -> Path:
    """The configuration as a file in a new folder."""
    folder.mkdir()
    path = folder / "config.yaml"
    try:
        path.write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    except (yaml.YAMLError, ValueError, RecursionError):
        reject()  # a value that YAML has no word for
    return path


def judged(path: Path) -> tuple[dict[str, Any], str]:
    """The completed configuration, or why it is refused."""
    with only_plugins([]):
        try:
            return complete(read(path), path.parent), ""
        except UserError as error:
            return {}, str(error)


def test_dry_runs(root: Path, tmp_path: Path) -> None:
    verdicts: Counter[bool] = Counter()
    numbers = itertools.count()

    @tried(3, 300, shrink=False)
    @given(configurations(plugins=True))
    def check(config: dict[str, Any]) -> None:
        path = written(config, tmp_path / str(next(numbers)))
        refused = judged(path)[1]
        done = snakemake(root, path.parent, "--dry-run", "--configfile", str(path))
        text = done.stdout + done.stderr
        assert TRACEBACK not in text, text
        if refused:
            assert done.returncode == 1, text
            # no YAML in our sense: Snakemake reads the file before any of our lines, and may say so
            own = "Config file is not valid" in text and refused.startswith(str(path))
            assert own or text == f"{refused}\n"
        else:
            assert done.returncode == 0, text
            assert "This was a dry-run" in text
        assert {one.name for one in path.parent.iterdir()} <= {"config.yaml", ".snakemake"}
        verdicts[not refused] += 1

    check()
    print(f"accepted {verdicts[True]}, refused {verdicts[False]}")
    # three say nothing of the share
    assert not FULL or verdicts[True] > 0.2 * sum(verdicts.values())


@pytest.mark.skipif(not FULL, reason="a minute each: make test-fuzz")
def test_runs_to_the_end(root: Path, tmp_path: Path) -> None:
    outcomes: Counter[str] = Counter()
    numbers = itertools.count()

    @tried(1, 20, shrink=False)
    @given(configurations(small=True, spoilt=False))
    def check(config: dict[str, Any]) -> None:
        path = written(config, tmp_path / str(next(numbers)))
        full, refused = judged(path)
        command = ["--cores", "1", "--configfile", str(path)]
        done = snakemake(root, path.parent, *command)
        text = f"{yaml.safe_dump(config)}\n{done.stdout}{done.stderr}"
        assert TRACEBACK not in text, text
        if refused:
            assert (done.returncode, done.stderr) == (1, f"{refused}\n"), text
            outcomes["refused"] += 1
        elif done.returncode:
            # such as a network that classifies no example of some class
            assert "Failed for good" in text, text
            outcomes["failed"] += 1
            reason = text.partition("Failed for good")[2].splitlines()[1].strip()
            print(f"{next(numbers)}: {reason}")
            assert "see its log above" not in reason, text
        else:
            units_are_right(full, path.parent / full["results"])
            again = snakemake(root, path.parent, *command)
            assert "Nothing to be done" in again.stderr + again.stdout, again.stderr
            outcomes["finished"] += 1

    check()
    print(dict(outcomes))
    assert outcomes["finished"] >= amount(1, 20) / 2


def units_are_right(config: dict[str, Any], results: Path) -> None:
    """Each unit once, with exactly as many weights as its ratio asks for."""
    table = pd.read_csv(results / "metrics.csv")
    wanted = [
        (one["dataset"], one["name"], seed, regime, label, float(ratio))
        for one in config["networks"]
        for seed in config["seeds"]
        for label, entry in config["methods"].items()
        for regime in entry["regimes"]
        for ratio in config["compressions"]
    ]
    columns = ["dataset", "network", "seed", "regime", "method", "compression"]
    assert sorted(wanted) == sorted(table[columns].itertuples(index=False, name=None))
    for row in table.itertuples():
        assert 0 <= row.accuracy_finetuned <= 1
        if not method_class(config["methods"][row.method]["method"]).decides_mask:
            removed = round((1 - 1 / row.compression) * row.params_total)
            assert row.params_kept == row.params_total - removed


def test_braces_in_a_name_are_no_wildcards(root: Path, tmp_path: Path) -> None:
    config = {
        "networks": [{"dataset": "digits", "model": "mlp"}],
        "seeds": [0],
        "compressions": [2],
        "methods": {"magnitude": {}},
        "experiment": "{where}",
        "data": {"folder": "{x}"},
    }
    path = written(config, tmp_path / "braces")
    done = snakemake(root, path.parent, "--dry-run", "--configfile", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
