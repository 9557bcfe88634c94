"""What is recorded of one unit, or of one dense network."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from graphprune.errors import UserError
from graphprune.jobs.provenance import source_state

_PARAM_LENGTH = 6000
# MLflow's limit
_DIGEST_LENGTH = 36

Curve = list[tuple[int, float]]


@dataclass(frozen=True)
class DatasetRecord:
    """A dataset that a unit used.

    name: of the dataset. digest: identifies its content; MLflow keeps the first 36 characters.
    source: where it was read. profile: its sizes (examples of each split, shape, classes).
    context: what for, such as ``"training"``.
    """

    name: str
    digest: str
    source: str
    profile: Mapping[str, object] = field(default_factory=dict)
    context: str = "training"

    @property
    def short_digest(self) -> str:
        return self.digest[:_DIGEST_LENGTH]


@dataclass(frozen=True)
class UnitRecord:
    """Everything that MLflow gets about one run. A record is always whole, never an increment.

    unit: the id of what is recorded, a unit or a dense network; unique in the experiment,
        such as ``"digits/mlp/seed0/finetune/random/x8"``.
    params: hyperparameters and settings; values are stored as text.
    metrics: final numbers by name. ``None``, NaN and infinite ones are left out and named in the
        tag ``graphprune.undefined_metrics``.
    curves: learning curves by metric name as (step, value) pairs. Give only what the same seed
        reproduces: a changed curve replaces the run (see the package), a changed metric does not.
    tags: labels that may change from one recording to the next (stage, commit, ...).
    artifacts: local files by folder within the run's artifacts.
    shared: files of this unit's chain that other units share (large ones, such as scores that
        serve all ratios): stored once, in the parent's run, and named in a tag of the unit
        (:mod:`graphprune.tracking.lineage`).
    datasets: what it was trained and measured on.
    start_time_ms, end_time_ms: when the unit began and ended (Unix time in ms); the time of
        recording if ``None``.
    name: what the user interface shows; the unit's id if empty.
    """

    unit: str
    params: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    curves: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict)
    tags: Mapping[str, object] = field(default_factory=dict)
    artifacts: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    shared: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    datasets: Sequence[DatasetRecord] = ()
    start_time_ms: int | None = None
    end_time_ms: int | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if not self.unit or any(character in self.unit for character in "'\"`\\\n"):
            raise UserError(f"unit is {self.unit!r}; allowed: a name without quotes or backslashes")
        if both := sorted(set(self.metrics) & set(self.curves)):
            raise UserError(f"{self.unit}: {both[0]!r} is both a metric and a curve; allowed: one")
        for key, value in self.params.items():
            if len(str(value)) > _PARAM_LENGTH:
                raise UserError(
                    f"{self.unit}: parameter {key!r} has {len(str(value))} characters; "
                    f"allowed: at most {_PARAM_LENGTH}"
                )

    @property
    def title(self) -> str:
        """What the user interface shows."""
        return self.name or self.unit

    def params_as_text(self) -> dict[str, str]:
        return {key: str(value) for key, value in self.params.items()}

    def finite_metrics(self) -> dict[str, float]:
        """The metrics that are defined."""
        return {
            key: float(value)
            for key, value in self.metrics.items()
            if value is not None and is_finite(value)
        }

    def finite_curves(self) -> dict[str, Curve]:
        """The curves without their undefined points."""
        return {
            key: [(int(step), float(value)) for step, value in curve if is_finite(value)]
            for key, curve in self.curves.items()
        }

    def undefined(self) -> list[str]:
        """Names of the metrics and curves that are not defined, or not everywhere."""
        curves = self.finite_curves()
        gaps = [key for key, value in self.metrics.items() if not is_finite(value)]
        gaps += [key for key, curve in self.curves.items() if len(curves[key]) < len(curve)]
        return sorted(gaps)


def is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def digest(content: object) -> str:
    """SHA-256, hexadecimal, of ``content`` as JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def recorder(folder: str | Path) -> dict[str, str]:
    """Tags ``recorded_by_commit`` and ``recorded_by_dirty``: the checkout ``folder`` that records.

    The files of a run may have been made by another version, which its other tags name.
    """
    return {f"recorded_by_{key}": value for key, value in source_state(folder).items()}
