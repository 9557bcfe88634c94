"""The experiment record: finished units of work replayed into MLflow.

A *parent* run stands for one dense network (dataset, model, seed); its *children* are the units
(method, compression) pruned from it. The stages of the workflow only write files; one job per
parent then calls :meth:`Store.record`, because starting MLflow costs more than a short stage.

Every run carries the tag ``graphprune.unit``, unique among the active runs of an experiment.
Recording a unit again updates its run. MLflow can neither change a parameter nor take back a point
of a learning curve, so a run whose parameters or curves differ is deleted (it stays in MLflow's
bin until ``mlflow gc``) and replaced under the same unit. Timestamps are the run's start plus the
step, so that points logged twice are one point.

By default the store is ``<results>/mlflow.db`` (SQLite) with its artifacts beside it in
``<results>/mlartifacts``; the environment variable ``MLFLOW_TRACKING_URI`` takes precedence.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import math
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from graphprune.errors import UserError
from graphprune.provenance import source_state

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
logging.getLogger("alembic").setLevel(logging.WARNING)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

__all__ = ["Store", "UnitRecord", "create_store", "source_state", "tracking_uri"]

P = ParamSpec("P")
T = TypeVar("T")

UNIT_TAG = "graphprune.unit"
GROUP_TAG = "graphprune.group"
CURVES_TAG = "graphprune.curves"
ARTIFACTS_TAG = "graphprune.artifacts"
UNDEFINED_TAG = "graphprune.undefined_metrics"
LINEAGE = "lineage.json"

_PARAMS_PER_CALL = 100
_METRICS_PER_CALL = 800
_PARAM_LENGTH = 6000
_BUSY = ("database is locked", "database table is locked")
_ATTEMPTS = 12


@dataclass(frozen=True)
class UnitRecord:
    """All that MLflow shall know about one unit of work. A record is whole, not an increment.

    unit: its id, unique in the experiment, such as ``"digits/mlp/0/curvature/8"``.
    params: hyperparameters and settings; values are stored as text.
    metrics: final numbers by name. ``None``, NaN and infinite ones are left out and named in the
        tag ``graphprune.undefined_metrics``.
    curves: learning curves by metric name as (step, value) pairs. Give only what the same seed
        reproduces: a changed curve replaces the run (see the module), a changed metric does not.
    tags: labels that may change from one recording to the next (stage, commit, ...).
    artifacts: local files by folder within the run's artifacts.
    shared: files of this unit's chain that other units share (large ones, such as scores that
        serve all ratios): stored once, in the parent's run, and named in ``lineage.json``.
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


def tracking_uri(results: str | Path) -> str:
    """``MLFLOW_TRACKING_URI`` if set, else the SQLite store inside ``results``."""
    database = Path(results).resolve() / "mlflow.db"
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{database}"


def create_store(results: str | Path, experiment: str, uri: str | None = None) -> Store:
    """Create store and experiment where they are missing; what exists is left as it is.

    To be called once, before any job records: MLflow's schema migrations do not bear several
    processes opening a new database (here they queue at a lock in ``results``).

    >>> create_store("results", "demo").record(UnitRecord("digits/mlp/0"), [])  # doctest: +SKIP
    {'digits/mlp/0': '0d2c...'}
    """
    results = Path(results).resolve()
    uri = uri or tracking_uri(results)
    import mlflow  # noqa: F401  seconds long: not while others wait at the lock

    with _locked(results, f"store {uri}"):
        client = _client(uri)
        if client.get_experiment_by_name(experiment) is None:
            remote = uri.startswith(("http://", "https://"))
            location = None if remote else (results / "mlartifacts").as_uri()
            _patiently(client.create_experiment, experiment, artifact_location=location)
    return Store(results, experiment, uri)


class Store:
    """An experiment in a store that exists (see :func:`create_store`).

    results: folder of the outputs; holds the default store and the locks between processes.
    experiment: the experiment's name. uri: the tracking URI, by default :func:`tracking_uri`.
    Raises UserError where the store or the experiment is missing or was deleted.
    """

    def __init__(self, results: str | Path, experiment: str, uri: str | None = None) -> None:
        self.results = Path(results).resolve()
        self.uri = uri or tracking_uri(self.results)
        database = Path(self.uri.removeprefix("sqlite:///"))
        if self.uri.startswith("sqlite:///") and not database.is_file():
            raise UserError(f"no MLflow store at {database}; create it first (create_store)")
        self.client = _client(self.uri)
        found = self.client.get_experiment_by_name(experiment)
        if found is None:
            raise UserError(
                f"experiment {experiment!r} is not in the MLflow store {self.uri}; "
                "create it first (create_store)"
            )
        if found.lifecycle_stage != "active":
            raise UserError(
                f"experiment {experiment!r} was deleted in the MLflow store {self.uri}; "
                "restore it there or choose another name"
            )
        self.experiment_id: str = found.experiment_id

    def record(self, parent: UnitRecord, children: Iterable[UnitRecord] = ()) -> dict[str, str]:
        """Write the runs of ``parent`` and its ``children``; returns the run id of each unit.

        Units recorded earlier that are not among ``children`` keep their runs. A file that
        ``artifacts`` or ``shared`` names and that does not exist raises UserError before
        anything is written.
        """
        children = list(children)
        units = [parent.unit, *(child.unit for child in children)]
        if len(set(units)) < len(units):
            twice = next(unit for unit in units if units.count(unit) > 1)
            raise UserError(f"unit {twice!r} occurs twice in one record; allowed: once")
        shared = _files(parent.unit, [parent.artifacts, *(child.shared for child in children)])
        own = {child.unit: _files(child.unit, [child.artifacts]) for child in children}
        with _locked(self.results, f"group {parent.unit}"):
            known = self._known(f"tags.`{GROUP_TAG}` = '{parent.unit}'")
            root = self._write(parent, shared, [], known.pop(parent.unit, None), {}, parent.unit)
            tags = {"mlflow.parentRunId": root}
            runs = {parent.unit: root}
            for child in children:
                chain = dict(_targets([parent.artifacts, child.shared]))
                inherited = [shared[target].located(root) for target in chain]
                runs[child.unit] = self._write(
                    child, own[child.unit], inherited, known.pop(child.unit, None), tags,
                    parent.unit,
                )  # fmt: skip
            self._adopt(known.values(), root)
        return runs

    def attach(self, unit: str, paths: Iterable[str | Path], folder: str) -> None:
        """Add files (a comparison figure, the report) to the run of ``unit`` under ``folder``."""
        runs = self._known(f"tags.`{UNIT_TAG}` = '{unit}'")
        if unit not in runs:
            raise UserError(f"unit {unit!r} has no run in the MLflow store {self.uri}; record it")
        for file in _files(unit, [{folder: [Path(path) for path in paths]}]).values():
            self._upload_one(runs[unit].info.run_id, file)

    def _known(self, condition: str) -> dict[str, Run]:
        """Active runs that meet ``condition`` by unit, at most one each: later copies go."""
        runs: dict[str, Run] = {}
        token: str | None = None
        while True:
            page = _patiently(
                self.client.search_runs, [self.experiment_id], condition, max_results=1000,
                order_by=["attributes.start_time ASC", "attributes.run_id ASC"], page_token=token,
            )  # fmt: skip
            for run in page:
                kept = runs.setdefault(run.data.tags[UNIT_TAG], run)
                if kept is not run:
                    _patiently(self.client.delete_run, run.info.run_id)
            token = page.token
            if not token:
                return runs

    def _adopt(self, runs: Iterable[Run], parent: str) -> None:
        for run in runs:
            if run.data.tags.get("mlflow.parentRunId") != parent:
                _patiently(self.client.set_tag, run.info.run_id, "mlflow.parentRunId", parent)

    def _write(
        self,
        record: UnitRecord,
        files: Mapping[str, _File],
        inherited: Sequence[dict[str, object]],
        run: Run | None,
        relation: Mapping[str, str],
        group: str,
    ) -> str:
        """Bring the run of ``record`` up to date, creating it where needed; returns its id."""
        params = {key: str(value) for key, value in record.params.items()}
        curves, gaps = _finite(record)
        if run is not None and not _extends(run, params, record.metrics, curves):
            _patiently(self.client.delete_run, run.info.run_id)
            run = None
        if run is None:
            start = record.start_time_ms or int(time.time() * 1000)
            first = {UNIT_TAG: record.unit, GROUP_TAG: group, CURVES_TAG: _digest(curves)}
            run = _patiently(
                self.client.create_run, self.experiment_id, start, first, record.name or record.unit
            )
        own = [file.located(run.info.run_id) for file in files.values()]
        lineage = {"unit": record.unit, "artifacts": [*own, *inherited]}
        if run.data.tags.get(ARTIFACTS_TAG) != _digest(lineage):
            for file in files.values():
                self._upload_one(run.info.run_id, file)
            text = json.dumps(lineage, indent=2) + "\n"
            _patiently(self.client.log_text, run.info.run_id, text, LINEAGE)
        tags = {key: str(value) for key, value in record.tags.items()} | dict(relation)
        tags |= {"mlflow.runName": record.name or record.unit, UNDEFINED_TAG: " ".join(gaps)}
        tags[ARTIFACTS_TAG] = _digest(lineage)
        changed = self._log(run, params, record.metrics, curves, tags)
        if changed or run.info.status != "FINISHED":
            end = run.info.end_time or record.end_time_ms
            _patiently(self.client.set_terminated, run.info.run_id, "FINISHED", end)
        return str(run.info.run_id)

    def _upload_one(self, run_id: str, file: _File) -> None:
        _patiently(self.client.log_artifact, run_id, str(file.source), file.folder or None)

    def _log(
        self,
        run: Run,
        params: Mapping[str, str],
        metrics: Mapping[str, float | None],
        curves: Mapping[str, Sequence[tuple[int, float]]],
        tags: Mapping[str, str],
    ) -> bool:
        """Log what the run does not hold yet; the tags, last, say that the rest is there."""
        from mlflow.entities import Metric, Param, RunTag

        start = run.info.start_time
        held = run.data.metrics
        now = max(int(time.time() * 1000), start + 1)
        points = [
            Metric(key, float(value), now if key in held else start, 0)
            for key, value in metrics.items()
            if _is_finite(value) and value is not None and held.get(key) != float(value)
        ]
        if run.info.status != "FINISHED":
            points += [
                Metric(key, value, start + step, step)
                for key, curve in curves.items()
                for step, value in curve
            ]
        pairs = [Param(key, value) for key, value in params.items() if key not in run.data.params]
        news = [
            RunTag(key, value) for key, value in tags.items() if run.data.tags.get(key) != value
        ]
        log, run_id = self.client.log_batch, run.info.run_id
        for some_params in _portions(pairs, _PARAMS_PER_CALL):
            _patiently(log, run_id, params=some_params)
        for some_points in _portions(points, _METRICS_PER_CALL):
            _patiently(log, run_id, metrics=some_points)
        for some_tags in _portions(news, _PARAMS_PER_CALL):
            _patiently(log, run_id, tags=some_tags)
        return bool(pairs or points or news)


@dataclass(frozen=True)
class _File:
    source: Path
    folder: str
    sha256: str

    def located(self, run_id: str) -> dict[str, object]:
        path = f"{self.folder}/{self.source.name}".lstrip("/")
        return {"path": path, "run_id": run_id, "sha256": self.sha256}


def _files(unit: str, groups: Iterable[Mapping[str, Sequence[Path]]]) -> dict[str, _File]:
    """The files of all ``groups`` by their path within the run's artifacts."""
    files: dict[str, _File] = {}
    for target, source in _targets(groups):
        held = files.get(target)
        if held is None:
            folder = target.rpartition("/")[0]
            files[target] = _File(source, folder, _sha256(unit, source))
        elif held.source != source:
            raise UserError(f"{unit}: {held.source} and {source} would both be {target}")
    return files


def _targets(groups: Iterable[Mapping[str, Sequence[Path]]]) -> Iterator[tuple[str, Path]]:
    for group in groups:
        for folder, paths in group.items():
            yield from ((f"{folder}/{Path(path).name}".lstrip("/"), Path(path)) for path in paths)


def _sha256(unit: str, source: Path) -> str:
    try:
        with source.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{unit}: artifact {source} cannot be read: {error.strerror}") from error


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _finite(record: UnitRecord) -> tuple[dict[str, list[tuple[int, float]]], list[str]]:
    """The curves without undefined points, and the names of what is undefined."""
    curves = {
        key: [(int(step), float(value)) for step, value in curve if _is_finite(value)]
        for key, curve in record.curves.items()
    }
    gaps = [key for key, value in record.metrics.items() if not _is_finite(value)]
    gaps += [key for key, curve in record.curves.items() if len(curves[key]) < len(curve)]
    return curves, sorted(gaps)


def _extends(
    run: Run,
    params: Mapping[str, str],
    metrics: Mapping[str, float | None],
    curves: Mapping[str, Sequence[tuple[int, float]]],
) -> bool:
    """Whether the record can be reached from ``run`` by adding only."""
    if any(params.get(key) != value for key, value in run.data.params.items()):
        return False
    finite = {key for key, value in metrics.items() if _is_finite(value)}
    if any(key not in finite and key not in curves for key in run.data.metrics):
        return False
    return run.data.tags.get(CURVES_TAG) == _digest(curves)


def _portions(items: Sequence[T], size: int) -> Iterator[list[T]]:
    for first in range(0, len(items), size):
        yield list(items[first : first + size])


def _patiently(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """``call``, repeated with growing pauses while another process holds the SQLite file."""
    from mlflow.exceptions import MlflowException

    for attempt in range(_ATTEMPTS):
        try:
            return call(*args, **kwargs)
        except MlflowException as error:
            busy = any(sign in str(error) for sign in _BUSY)
            if not busy or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0.5, 1.0) * min(0.05 * 2**attempt, 2.0))
    raise AssertionError("unreachable")


def _client(uri: str) -> MlflowClient:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


@contextmanager
def _locked(results: Path, what: str) -> Iterator[None]:
    """One process at a time for ``what``; the kernel frees the lock of a process that dies."""
    folder = results / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(what.encode()).hexdigest()[:16]
    with (folder / f"mlflow-{name}").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
