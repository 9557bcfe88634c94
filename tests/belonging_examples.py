"""A small finished run to damage, and ways to damage it that leave every file readable."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphprune import checkpoints
from graphprune.files import read_json, write_json
from graphprune.models import pruned
from graphprune.provenance.recipe import digest_of

CONFIG = {
    "experiment": "small",
    "results": "out",
    "networks": [{"dataset": "digits", "model": "mlp"}],
    "seeds": [0],
    "compressions": [2, 4],
    "train": {"epochs": 1, "batch_size": 8, "learning_rate": 0.1},
    "finetune": {"epochs": 1, "batch_size": 64},
    "graph": {"max_edges": 1000},
    "latency": {"repeats": 1},
    "keep_scores": True,
    "methods": {"magnitude": {}},
}
DENSE, METHOD = "digits/mlp/seed0/dense", "digits/mlp/seed0/finetune/magnitude"
UNIT, OTHER = f"{METHOD}/x2", f"{METHOD}/x4"


def copied(results: Path, folder: Path) -> Path:
    """A copy of ``results`` in ``folder``, without logs and MLflow's copies."""
    ignored = shutil.ignore_patterns("mlartifacts", "logs", "benchmarks", "live", ".locks")
    return shutil.copytree(results, folder / "out", ignore=ignored)


def swap(one: Path, other: Path) -> None:
    """Let two files change places."""
    held = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(held)


def forged(path: Path, about: Mapping[str, object]) -> None:
    """Let the artifact say that it is ``about`` another network or dataset, with a valid recipe."""
    header = checkpoints.header(path)
    tensors, metadata = checkpoints.load(path, header["kind"])
    made = header["made"]
    made["about"] = {**made["about"], **about}
    parts = (made["stage"], made["about"], made["settings"], made["code"], made["parents"])
    made["recipe"] = digest_of(*parts)
    checkpoints.save(path, tensors, header["kind"], metadata, made)


def reweighted(path: Path) -> None:
    """Other numbers under the same record, written by the library."""
    header = checkpoints.header(path)
    tensors, metadata = checkpoints.load(path, header["kind"])
    for tensor in tensors.values():
        tensor.view(-1)[0] += 1
    checkpoints.save(path, tensors, header["kind"], metadata, header["made"])


def inverted(path: Path) -> None:
    """The opposite masks under the same record, written by the library."""
    masks = {name: ~mask for name, mask in pruned.read(path).items()}
    pruned.save(path, masks, made=checkpoints.header(path)["made"])


def flipped(path: Path) -> None:
    """One bit of the last tensor changed."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def edited(path: Path, old: str, new: str) -> None:
    """The text ``old`` in a file replaced where it stands first."""
    content = path.read_bytes()
    assert old.encode() in content
    path.write_bytes(content.replace(old.encode(), new.encode(), 1))


def rewritten(path: Path, changes: Mapping[str, Any]) -> None:
    """Metrics with other values and a valid digest, as the library writes them."""
    value, made = read_json(path, "metrics")
    write_json(path, {**value, **changes}, {k: v for k, v in made.items() if k != "content"})


def retrained(path: Path) -> None:
    """A history with another loss."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    edited(path, rows[0]["loss"], "0.125")
