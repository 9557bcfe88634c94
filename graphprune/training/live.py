"""Learning curves of trainings that still run; ``graphprune.tracking.follower`` shows them.

A training appends a line per epoch to ``<results>/live/<unit>.jsonl`` and removes the file at its
end; what remains is the history among its outputs. Nothing here imports MLflow. If the disk is
full, the curve is not shown, but the training goes on.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from graphprune.layout import ResultPaths, network_of

_log = logging.getLogger("graphprune")


class LiveCurve:
    """Writes the rows of one training, to the log and to its file.

    results: folder of all outputs. unit: the id of the unit, or of the network, that is trained.
    stage: what the names of its curves begin with. labels: tags of the run (dataset, model, seed
    and so on).

    >>> with LiveCurve("results", "digits/mlp/seed0", "train", {"seed": 0}) as curve:
    ...     curve({"epoch": 1, "loss": 0.9})
    """

    def __init__(
        self,
        results: str | Path,
        unit: str,
        stage: str,
        labels: Mapping[str, object],
    ) -> None:
        self.path = Path(ResultPaths(str(results)).live) / f"{unit.replace('/', '-')}.jsonl"
        self.head = {"unit": unit, "stage": stage, "labels": dict(labels), "started": time.time()}

    def __enter__(self) -> LiveCurve:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(self.head) + "\n")
        except OSError:
            _log.warning("%s cannot be written; the curve is not shown live", self.path)
        return self

    def __call__(self, row: Mapping[str, float]) -> None:
        _log.info("%s", row)
        # not "a", which could make a file without the first line; nobody could read it
        with suppress(OSError), self.path.open("r+") as stream:
            stream.seek(0, 2)
            stream.write(json.dumps(row) + "\n")

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Running:
    """A training that runs, read from its file.

    group: id of the dense network it belongs to. started: Unix time in seconds. rows: one for each
    epoch so far.
    """

    unit: str
    stage: str
    labels: Mapping[str, object]
    started: float
    rows: tuple[Mapping[str, float], ...]

    @property
    def group(self) -> str:
        return network_of(self.unit)


def running(results: str | Path, since: float) -> list[Running]:
    """The trainings whose files were written to after the Unix time ``since``."""
    trainings = []
    for path in sorted(Path(ResultPaths(str(results)).live).glob("*.jsonl")):
        try:
            if path.stat().st_mtime >= since:
                # the last line may be half written
                lines = path.read_text().split("\n")[:-1]
                head, *rows = [json.loads(line) for line in lines]
                training = Running(**head, rows=tuple(rows))
                if _is_whole(training):
                    trainings.append(training)
        except (OSError, ValueError, TypeError, RecursionError):
            continue
    return trainings


def _is_whole(training: Running) -> bool:
    """Whether a training is what `LiveCurve` writes; its file may be damaged."""
    return (
        all(isinstance(text, str) for text in (training.unit, training.stage))
        and isinstance(training.labels, dict)
        and _is_finite(training.started)
        and all(
            isinstance(row, dict) and "epoch" in row and all(map(_is_number, row.values()))
            for row in training.rows
        )
        and all(_is_finite(row["epoch"]) for row in training.rows)
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_finite(value: float) -> bool:
    # whole numbers of JSON may be larger than any float
    return _is_number(value) and abs(value) < 1e15
