"""A folder in which make's targets can be tried without harm, and what is asked of them there.

Snakemake and MLflow are stand-ins that tell how they were called.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from graphprune.layout import MARKER

# prints one line of JSON; mlflow and snakemake are run as `python -m NAME`
STAND_IN = """
import json, os, sys
print(json.dumps({"arguments": sys.argv[1:], "environment": dict(os.environ)}))
sys.exit(int(os.environ.get("STATUS", "0")))
"""
# names of folders that would make the file `pwned` if a shell, or make, read them
ATTACKS = [
    "a;touch pwned;echo",
    "$(touch pwned)",
    "'; touch pwned; '",
    '"; touch pwned; "',
    "$(shell touch pwned)",
    "$$(touch pwned)",
    "my results",
]
# a `make test` around these tests has its own
OPTIONS = ("CONFIG", "CORES", "PORT", "WORKERS", "FOLDER", "HOST", "AUTH", "PROFILE", "AREAS")
OUTER = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", *OPTIONS}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def checkout(root: Path, parent: Path) -> Path:
    """A checkout below ``parent`` that has the Makefile, its program and a Python, and no more."""
    here = parent / "checkout"
    (here / "workflow").mkdir(parents=True)
    shutil.copy(root / "Makefile", here)
    shutil.copy(root / "workflow/targets.py", here / "workflow")
    python = write(
        here / ".venv/bin/python", f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n'
    )
    python.chmod(0o755)
    (here / ".venv/.setup-complete").touch()
    for name in ("snakemake", "mlflow"):
        stand_in(here, name)
    return here


def stand_in(folder: Path, name: str) -> None:
    """Let ``python -m name`` tell how it was called, for the checkout ``folder``."""
    # without __init__ the real package would go first
    write(folder.parent / f"stand-ins/{name}/__init__.py", "")
    write(folder.parent / f"stand-ins/{name}/__main__.py", STAND_IN)


def make(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """make in ``folder``, whose parent is the home folder."""
    package = Path(__file__).parents[1]
    around = {
        key: value
        for key, value in os.environ.items()
        if key not in OUTER and not key.startswith("MLFLOW_")
    }
    around["HOME"] = str(folder.parent)
    around["PYTHONPATH"] = f"{folder.parent / 'stand-ins'}:{package}"
    return subprocess.run(
        ["make", "--no-print-directory", "-o", ".venv/.setup-complete", *arguments],
        cwd=folder,
        env={**around, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def told(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What the stand-ins were called with."""
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a target that refuses; make adds one of its own."""
    assert done.returncode == 2
    line, of_make = done.stderr.splitlines()
    assert of_make.startswith("make: ***")
    return line


def configure(folder: Path, results: object, **keys: object) -> None:
    (folder / "config.yaml").write_text(yaml.safe_dump({"results": results, **keys}))


def finished(folder: Path, results: str) -> Path:
    """Results as a run leaves them."""
    configure(folder, results)
    write(folder / results / MARKER, "")
    write(folder / results / "digits/mlp/metrics.json", "{}")
    write(folder / results / "tracking/store.json", '{"experiment_id": "7"}')
    write(folder / results / "mlflow.db", "")
    return folder / results


def caches(folder: Path) -> list[Path]:
    """The folders with caches, and a file in each cache."""
    names = ("graphprune", "workflow", "tests", "benchmarks")
    files = [write(folder / name / "__pycache__/a.pyc", "") for name in names]
    return [*files, write(folder / ".snakemake/a", ""), write(folder / ".mypy_cache/a", "")]
