"""The history of a training, tied to the network beside it.

A CSV file cannot say what made it, so the checkpoint says what its history is, and metrics say what
history they were made from. For the checkpoint columns that a clock fills do not count: the same
training is to give the same checkpoint.
"""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

from graphprune.errors import UserError

# in what made the checkpoint
ENTRY = "history"
CLOCK = "seconds"
# what makes the artifacts that a history lies beside
STAGES = ("train", "take_over", "finetune", "evaluate")


def beside(path: str) -> str:
    """The history in the folder of ``path``."""
    return f"{path.rpartition('/')[0]}/history.csv"


def rows(path: str | Path) -> list[dict[str, str]]:
    """The epochs in the history ``path``; UserError, naming the file, if it cannot be read."""
    try:
        with Path(path).open(newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not the history of a training ({error})") from error


def digest(path: str | Path) -> str:
    """SHA-256, hexadecimal, over the rows of a history without the columns of clocks."""
    counted = [
        [(name, value) for name, value in row.items() if CLOCK not in (name or "")]
        for row in rows(path)
    ]
    return hashlib.sha256(json.dumps(counted).encode()).hexdigest()
