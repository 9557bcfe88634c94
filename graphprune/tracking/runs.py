"""What an MLflow run holds already, and what a record adds to it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from graphprune.tracking.calls import Patience, portions
from graphprune.tracking.lineage import OLD_TAG
from graphprune.tracking.unit import DatasetRecord, UnitRecord, digest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Metric, Run

UNIT_TAG = "graphprune.unit"
GROUP_TAG = "graphprune.group"
CURVES_TAG = "graphprune.curves"
UNDEFINED_TAG = "graphprune.undefined_metrics"
# "true" while the unit's job runs and its curves are followed, "false" once it is recorded
LIVE_TAG = "graphprune.live"

_PARAMS_PER_CALL = 100
_METRICS_PER_CALL = 800


def extends(run: Run, record: UnitRecord, client: MlflowClient, patience: Patience) -> bool:
    """Whether it is enough to add to ``run`` to make it equal to ``record``."""
    if OLD_TAG in run.data.tags:
        return False
    params, metrics = record.params_as_text(), record.finite_metrics()
    if any(params.get(key) != value for key, value in run.data.params.items()):
        return False
    if any(key not in metrics and key not in record.curves for key in run.data.metrics):
        return False
    wanted = {(dataset.name, dataset.short_digest) for dataset in record.datasets}
    if not _datasets_of(run) <= wanted:
        return False
    curves = record.finite_curves()
    if run.data.tags.get(LIVE_TAG) != "true":
        return run.data.tags.get(CURVES_TAG) == digest(curves)
    for key in run.data.metrics.keys() & curves.keys():
        history = patience.call(client.get_metric_history, run.info.run_id, key)
        if not {(point.step, point.value) for point in history} <= set(curves[key]):
            return False
    return True


def new_points(run: Run, record: UnitRecord) -> list[Metric]:
    """The metrics that differ, and, until the run is finished, all curves."""
    from mlflow.entities import Metric

    start, held = run.info.start_time, run.data.metrics
    now = max(int(time.time() * 1000), start + 1)
    points = [
        Metric(key, value, now if key in held else start, 0)
        for key, value in record.finite_metrics().items()
        if held.get(key) != value
    ]
    if run.info.status != "FINISHED":
        points += [
            Metric(key, value, start + step, step)
            for key, curve in record.finite_curves().items()
            for step, value in curve
        ]
    return points


def new_datasets(run: Run, record: UnitRecord) -> list[DatasetInput]:
    """The datasets of ``record`` that ``run`` does not name yet."""
    held = _datasets_of(run)
    return [
        _input(dataset)
        for dataset in record.datasets
        if (dataset.name, dataset.short_digest) not in held
    ]


def batches(
    params: Mapping[str, str], points: list[Metric], tags: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Arguments for ``log_batch`` within MLflow's limits; the tags are in the last."""
    from mlflow.entities import Param, RunTag

    some_params = list(portions([Param(*pair) for pair in params.items()], _PARAMS_PER_CALL))
    some_points = list(portions(points, _METRICS_PER_CALL))
    some_tags = list(portions([RunTag(*pair) for pair in tags.items()], _PARAMS_PER_CALL))
    calls: list[dict[str, Any]] = [
        {"params": some or [], "metrics": others or []}
        for some, others in zip_longest(some_params, some_points)
    ]
    if calls and some_tags:
        calls[-1]["tags"] = some_tags.pop(0)
    yield from calls
    yield from ({"tags": some} for some in some_tags)


def _datasets_of(run: Run) -> set[tuple[str, str]]:
    if run.inputs is None:
        return set()
    return {(used.dataset.name, used.dataset.digest) for used in run.inputs.dataset_inputs}


def _input(record: DatasetRecord) -> DatasetInput:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(
        name=record.name,
        digest=record.short_digest,
        source_type="local",
        source=json.dumps({"uri": record.source}),
        profile=json.dumps({**record.profile, "sha256": record.digest}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", record.context)])
