"""One method at several sparsities, one after the other."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graphprune.checkpoints import ForeignCheckpointError
from graphprune.methods.base import Method, Result
from graphprune.methods.catalog import build, has_option, method_class
from graphprune.methods.contract import run_checked
from graphprune.randomness import seed_of, seeded

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
    """Run the method ``name`` at each of the sparsities, the lowest first.

    A method that is `Method.chained` (ProbMask's option ``continued``) starts each run but the
    first from the result of the one before.

    Parameters
    ----------
    options : the method's hyperparameters, without the sparsity.
    sparsities : in any order; none of them, for a method that ranks all weights at once, means one
        run.
    model, inputs, targets : as for `Method.run`.
    checkpoints : one file a sparsity, for methods that have a field ``checkpoint``. A checkpoint of
        the same run is resumed; one of another run is overwritten.

    Yields
    ------
    Place in ``sparsities``, result, and wall time in seconds. The time of a run that started from
    others' results includes theirs. What a method draws from torch's own generator follows its
    option ``seed`` (0 without one), whichever sparsities ran before.

    Raises
    ------
    UserError : also where the result is not one score for every prunable weight.

    >>> for place, result, seconds in run_series("rgp", {}, [0.5, 0.9], model):
    ...     print(place, result.report)
    """
    resumes = has_option(method_class(name), "checkpoint")
    looser: Result | None = None
    before = 0.0
    order: list[int | None] = [*sorted(range(len(sparsities)), key=sparsities.__getitem__)]
    for place in order or [None]:
        chosen = dict(options)
        if place is not None:
            chosen["sparsity"] = sparsities[place]
            if resumes and checkpoints:
                chosen["checkpoint"] = str(checkpoints[place])
        method = build(name, **chosen)
        start = time.perf_counter()
        drawn = seed_of(int(str(options.get("seed", 0))), "score", "torch")
        with seeded(drawn, next(model.parameters()).device):
            result = _run(method, chosen, looser, model, inputs, targets)
        seconds = time.perf_counter() - start
        if method.chained():
            looser = result
            seconds = before = before + seconds
        yield place or 0, result, seconds


def _run(
    method: Method,
    options: Mapping[str, object],
    looser: Result | None,
    model: nn.Module,
    inputs: Tensor | None,
    targets: Tensor | None,
) -> Result:
    try:
        return run_checked(method, model, inputs, targets, looser)
    except ForeignCheckpointError as error:
        logger.info("starting over: %s", error)
        Path(str(options["checkpoint"])).unlink()
        return run_checked(method, model, inputs, targets, looser)
