"""Learning curves of trainings that still run, for whoever follows them.

A training appends a line per epoch to ``<results>/live/<unit>.jsonl`` and removes the file at its
end; the history among its outputs is the record. Nothing here imports MLflow, and a disk that takes
no more stops the following, not the training.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FOLDER = "live"

_log = logging.getLogger("graphprune")


class LiveCurve:
    """Writes the rows of one training, to the log and to its file.

    results: folder of all outputs. folder: the one in it whose path is the id of the unit's run.
    stage: what the names of its curves begin with. labels: tags of the run (dataset, model, seed
    and so on).

    >>> with LiveCurve("results", "results/digits/mlp/seed0", "train", {"seed": 0}) as curve:
    ...     curve({"epoch": 1, "loss": 0.9})
    """

    def __init__(
        self,
        results: str | Path,
        folder: str | Path,
        stage: str,
        labels: Mapping[str, object],
    ) -> None:
        unit = Path(folder).relative_to(results).as_posix()
        self.path = Path(results) / FOLDER / f"{unit.replace('/', '-')}.jsonl"
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
        # not "a": a file without its first line would say nothing
        with suppress(OSError), self.path.open("r+") as stream:
            stream.seek(0, 2)
            stream.write(json.dumps(row) + "\n")

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Running:
    """A training that runs, as its file says.

    group: unit of the dense network it belongs to. started: Unix time in seconds. rows: so far.
    """

    unit: str
    stage: str
    labels: Mapping[str, object]
    started: float
    rows: tuple[Mapping[str, float], ...]

    @property
    def group(self) -> str:
        return "/".join(self.unit.split("/")[:3])


def running(results: str | Path, since: float) -> list[Running]:
    """The trainings whose files were written to after the Unix time ``since``."""
    found = []
    for path in sorted((Path(results) / FOLDER).glob("*.jsonl")):
        try:
            if path.stat().st_mtime >= since:
                # the last line may be half written
                lines = path.read_text().split("\n")[:-1]
                head, *rows = [json.loads(line) for line in lines]
                found.append(Running(**head, rows=tuple(rows)))
        except (OSError, ValueError, TypeError):
            continue
    return found
