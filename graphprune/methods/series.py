"""One method at several sparsities, one after the other."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from graphprune.checkpoints import ForeignCheckpointError
from graphprune.methods import build, method_class
from graphprune.methods.base import Method, Result

if TYPE_CHECKING:
    from torch import Tensor, nn

logger = logging.getLogger(__name__)


def run_series(
    name: str,
    options: Mapping[str, object],
    sparsities: Sequence[float],
    model: nn.Module,
    inputs: Tensor | None = None,
    targets: Tensor | None = None,
    checkpoints: Sequence[str | Path] = (),
) -> Iterator[tuple[int, Result, float]]:
    """Run the method ``name`` at each of the sparsities, the loosest first.

    With the option ``continued`` (ProbMask) each run but the first goes on from the one before.

    Parameters
    ----------
    options : the method's hyperparameters, without the sparsity.
    sparsities : in any order; none of them, for a method that ranks all weights at once, means one
        run.
    model, inputs, targets : as for `Method.run`.
    checkpoints : one file a sparsity, for methods that have a field ``checkpoint``; what is there
        of the same run is gone on from, what is of another is written anew.

    Yields
    ------
    Place in ``sparsities``, result, and wall time in seconds; of a run that goes on from others,
    theirs included.

    >>> for at, result, seconds in run_series("rgp", {}, [0.5, 0.9], model):
    ...     print(at, result.report)
    """
    resumes = "checkpoint" in {field.name for field in fields(method_class(name))}
    looser: Result | None = None
    before = 0.0
    order: list[int | None] = [*sorted(range(len(sparsities)), key=sparsities.__getitem__)]
    for at in order or [None]:
        own = dict(options)
        if at is not None:
            own["sparsity"] = sparsities[at]
            if resumes and checkpoints:
                own["checkpoint"] = str(checkpoints[at])
        start = time.perf_counter()
        result = _run(build(name, **own), own, looser, model, inputs, targets)
        seconds = time.perf_counter() - start
        if options.get("continued"):
            looser = result
            seconds = before = before + seconds
        yield at or 0, result, seconds


def _run(
    method: Method,
    options: Mapping[str, object],
    looser: Result | None,
    model: nn.Module,
    inputs: Tensor | None,
    targets: Tensor | None,
) -> Result:
    try:
        return method.run_after(looser, model, inputs, targets)
    except ForeignCheckpointError as error:
        logger.info("starting over: %s", error)
        Path(str(options["checkpoint"])).unlink()
        return method.run_after(looser, model, inputs, targets)
