"""What a method returned, on disk, and the masks made from it.

The tensors and the report are files of their own: the scores, the largest files of a run, are
removed once their masks exist, and a clock's seconds would make equal scores differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graphprune import checkpoints
from graphprune.errors import UserError, shown
from graphprune.files import read_json, write_json
from graphprune.masks import Masks, prune
from graphprune.methods.base import Result
from graphprune.methods.catalog import method_class

if TYPE_CHECKING:
    from torch import Tensor

KIND = "scores"
_PARTS = ("scores", "weights")


@dataclass(frozen=True)
class Scored:
    """A method's scores and trained weights as read from disk.

    method: the method's name.
    """

    result: Result
    method: str


@dataclass(frozen=True)
class Report:
    """What a method reported beside its scores.

    numbers: solver time, path length, entropy and so on. seconds: wall time it took.
    """

    method: str
    numbers: dict[str, float]
    seconds: float

    @property
    def epochs_trained(self) -> int:
        """Epochs that the method trained by itself, 0 for most."""
        return int(self.numbers.get("epochs_trained", 0))


def save(
    path: str | Path,
    result: Result,
    method: str,
    made: Mapping[str, object] | None = None,
    seconds: float | None = None,
) -> None:
    """Write scores and weights of ``result`` atomically as one safetensors file.

    seconds: of a part of a score, kept in the file together with the report of the part.
    """
    parts = {"scores": result.scores, "weights": result.weights}
    tensors = {f"{part}/{name}": t for part, named in parts.items() for name, t in named.items()}
    metadata = {"method": method}
    if seconds is not None:
        metadata |= {"seconds": repr(seconds), "report": json.dumps(result.report)}
    checkpoints.save(path, tensors, KIND, metadata, made)


def load(path: str | Path) -> Scored:
    """Read what ``save`` wrote; UserError names a file that is missing, damaged or foreign."""
    return _scored(path)[0]


def load_part(path: str | Path) -> tuple[Scored, float]:
    """Read a part of a score, with its report, and the seconds it took; errors as for `load`."""
    scored, metadata = _scored(path)
    try:
        report = _numbers(json.loads(metadata["report"]))
        seconds = float(metadata["seconds"])
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UserError(f"{path}: is no part of a score; remove it and run again") from error
    return Scored(Result(scored.result.scores, report=report), scored.method), seconds


def _scored(path: str | Path) -> tuple[Scored, dict[str, str]]:
    tensors, metadata = checkpoints.load(path, KIND)
    parts: dict[str, dict[str, Tensor]] = {part: {} for part in _PARTS}
    for key, tensor in tensors.items():
        part, _, name = key.partition("/")
        if part not in parts:
            raise UserError(f"{path}: has an unknown entry {key!r}; expected scores and weights")
        parts[part][name] = tensor
    if "method" not in metadata or not parts["scores"]:
        raise UserError(f"{path}: holds no scores of a method; remove it and run again")
    return Scored(Result(parts["scores"], parts["weights"]), metadata["method"]), metadata


def save_report(path: str | Path, report: Report, made: Mapping[str, object] | None = None) -> None:
    """Write ``report`` atomically as JSON."""
    value = {"method": report.method, "seconds": report.seconds, "report": report.numbers}
    write_json(path, value, made or {})


def load_report(path: str | Path) -> Report:
    """Read what `save_report` wrote; UserError names a file that is missing or damaged."""
    value, _ = read_json(path, "the report of a method", needs_made=True)
    try:
        seconds = float(value["seconds"])
        return Report(str(value["method"]), _numbers(value["report"]), seconds)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(
            f"{path}: is not the report of a method ({shown(error)}); remove it and run again"
        ) from error


def _numbers(report: object) -> dict[str, float]:
    if not isinstance(report, dict) or not all(
        isinstance(number, int | float) for number in report.values()
    ):
        raise TypeError("its numbers are none")
    return report


def masks_of(scored: Scored, sparsity: float, scope: str) -> Masks:
    """The masks at ``sparsity``, or those the method decided on itself (RGP)."""
    if method_class(scored.method).decides_mask:
        return {name: score > 0 for name, score in scored.result.scores.items()}
    return prune(scored.result.scores, sparsity, scope)
