"""Shows the learning curves of long trainings in MLflow while they run.

``python -m graphprune.tracking.follower`` runs beside the workflow and reads the files that
trainings append to (:mod:`graphprune.training.live`). It imports MLflow only when a training has
run for longer than ``--after`` seconds, so that short ones cost nothing. The runs it makes carry
the tag ``graphprune.live``; the record of the finished unit completes them. The follower ends when
its standard input ends. That is a pipe from the workflow, so it ends however the workflow ends.
"""

from __future__ import annotations

import argparse
import logging
import select
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from graphprune.errors import UserError
from graphprune.jobs.redaction import guard, redacted
from graphprune.tracking.calls import Patience, portions
from graphprune.tracking.runs import GROUP_TAG, LIVE_TAG
from graphprune.tracking.store import Store
from graphprune.training.live import Running, running

if TYPE_CHECKING:
    from mlflow.entities import Run

P = ParamSpec("P")

INTERVAL = 2.0
# columns of a history that are no curves: the step itself, and what another run does not reproduce
NOT_CURVES = ("epoch", "seconds")
_POINTS_PER_CALL = 800

_log = logging.getLogger("graphprune")


class Follower:
    """Brings the trainings that run in ``results`` into ``experiment``.

    after: how many seconds a training must have run before it is shown. since: Unix time; a file
    last written before it was left by a training that was killed.
    """

    def __init__(self, results: Path, experiment: str, after: float, since: float) -> None:
        self.results = results
        self.experiment = experiment
        self.after = after
        self.since = since
        self.store: Store | None = None
        # for each followed training: its run, and how many of its rows the run holds
        self.runs: dict[tuple[str, float], str] = {}
        self.sent: dict[tuple[str, float], int] = {}

    def step(self, now: float) -> None:
        """Log what the trainings wrote since the last step."""
        long = [one for one in running(self.results, self.since) if now - one.started >= self.after]
        for training in long:
            if training.rows:
                if self.store is None:
                    self.store = Store(self.results, self.experiment, patience=Patience(5))
                self._send(self.store, training)

    def end(self) -> None:
        """Mark the runs that were followed and not recorded as killed."""
        if self.store is None:
            return
        for run_id in dict.fromkeys(self.runs.values()):
            if self.store.client.get_run(run_id).info.status == "RUNNING":
                self.store.client.set_terminated(run_id, "KILLED")

    def _send(self, store: Store, training: Running) -> None:
        from mlflow.entities import Metric

        key = (training.unit, training.started)
        if key not in self.runs:
            self.runs[key] = _run_for(store, training).info.run_id
        new = training.rows[self.sent.get(key, 0) :]
        if not new:
            return
        run = store.patience.call(store.client.get_run, self.runs[key])
        if run.data.tags.get(LIVE_TAG) != "true":
            return  # recorded meanwhile
        points = [
            Metric(f"{training.stage}/{name}", value, run.info.start_time + int(row["epoch"]),
                   int(row["epoch"]))
            for row in new for name, value in row.items() if name not in NOT_CURVES
        ]  # fmt: skip
        for some in portions(points, _POINTS_PER_CALL):
            store.patience.call(store.client.log_batch, run.info.run_id, metrics=some)
        self.sent[key] = len(training.rows)


def _run_for(store: Store, training: Running) -> Run:
    """The live run of the unit, below that of its dense network."""
    unit, group = training.unit, training.group
    with store.group_lock(group):
        known = store.known(f"tags.`{GROUP_TAG}` = '{group}'")
        labels = {key: str(value) for key, value in training.labels.items()}
        labels |= {GROUP_TAG: group, LIVE_TAG: "true", "stage": training.stage}
        start = int(1000 * training.started)
        if unit != group:
            dense = {GROUP_TAG: group, LIVE_TAG: "true", "method": "dense"}
            dense |= {key: labels[key] for key in ("dataset", "network", "model", "seed")}
            parent = known.get(group) or store.create(group, start, dense, group)
            labels["mlflow.parentRunId"] = parent.info.run_id
        held = known.pop(unit, None)
        if held is not None and held.data.tags.get(LIVE_TAG) == "true":
            store.patience.call(store.client.update_run, held.info.run_id, "RUNNING")
            return held
        if held is not None:
            # its files are being replaced, and MLflow cannot take back a point
            store.patience.call(store.client.delete_run, held.info.run_id)
        run = store.create(unit, start, labels, unit.removeprefix(f"{group}/"))
        if unit == group:
            store.adopt(known.values(), run.info.run_id)
        return run


def follow(follower: Follower, interval: float) -> None:
    """Step until standard input ends; an error is logged, and the next step tries again."""
    while True:
        ready, _, _ = select.select([sys.stdin], [], [], interval)
        if ready and not sys.stdin.readline():
            break
        _carefully(follower.step, time.time())
    _carefully(follower.end)


def _carefully(function: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    try:
        function(*args, **kwargs)
    except Exception as error:
        reason = str(error) if isinstance(error, UserError) else repr(error)
        _log.warning("%s", redacted(" ".join(reason.split()))[:500])


def main(words: Sequence[str] | None = None) -> None:
    """Follow until standard input ends; logs to ``<results>/logs/live.log``."""
    parser = argparse.ArgumentParser(prog="python -m graphprune.tracking.follower")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--experiment", required=True)
    parser.add_argument("--after", type=float, default=30.0)
    options = parser.parse_args(words)
    guard()
    path = options.results / "logs" / "live.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    form = "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(filename=path, filemode="w", level=logging.INFO, format=form)
    start = time.time()
    follow(Follower(options.results, options.experiment, options.after, start), INTERVAL)


if __name__ == "__main__":
    main()
