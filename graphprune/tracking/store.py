"""An experiment in MLflow that units are recorded in."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from graphprune.errors import UserError
from graphprune.jobs.redaction import public
from graphprune.tracking import lineage, links
from graphprune.tracking.address import (
    ARTIFACTS,
    connect,
    database_of,
    is_server,
    local_folder,
    tracking_uri,
)
from graphprune.tracking.calls import Patience, locked
from graphprune.tracking.files import Artifact, artifacts, staged, targets
from graphprune.tracking.relocation import noted, relocate
from graphprune.tracking.runs import (
    CURVES_TAG,
    GROUP_TAG,
    LIVE_TAG,
    UNDEFINED_TAG,
    UNIT_TAG,
    batches,
    extends,
    new_datasets,
    new_points,
)
from graphprune.tracking.unit import UnitRecord, digest
from graphprune.tracking.view import VIEW_TAG, experiment_tags

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlflow import MlflowClient
    from mlflow.entities import Run

P = ParamSpec("P")
T = TypeVar("T")


def create_store(
    results: str | Path, experiment: str, uri: str | None = None, patience: Patience | None = None
) -> Store:
    """Create store and experiment where they are missing; what exists is left as it is.

    Call it once, before any job records: MLflow's schema migrations fail if several processes open
    a new database. A lock in ``results`` lets such processes wait for each other.

    >>> create_store("results", "demo").record(UnitRecord("digits/mlp/0"), [])  # doctest: +SKIP
    {'digits/mlp/0': '0d2c...'}
    """
    results = Path(results).resolve()
    uri = uri or tracking_uri(results)
    patience = patience or Patience()
    import mlflow  # noqa: F401  takes seconds, so it comes before the lock

    relocate(results, uri, patience.seconds)
    with locked(results, f"store {public(uri)}"):
        client = connect(uri)
        if patience.call(client.get_experiment_by_name, experiment) is None:
            location = None if is_server(uri) else (results / ARTIFACTS).as_uri()
            patience.call(_create_experiment, client, experiment, location)
        store = Store(results, experiment, uri, patience)
        store.describe()
    return store


def _create_experiment(client: MlflowClient, name: str, location: str | None) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_experiment(name, artifact_location=location)
    except MlflowException as error:
        # another host has created it, or an earlier attempt whose answer was lost
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


class Store:
    """An experiment in a store that exists (see :func:`create_store`).

    results: folder of the outputs; holds the default store and the locks between processes.
    experiment: the experiment's name. uri: the tracking URI, by default :func:`tracking_uri`.
    patience: how long to wait for a server that does not answer.

    A store inside ``results`` whose folder was copied or moved names its own artifacts from then on
    (:mod:`graphprune.tracking.relocation`).

    Raises UserError where the store or the experiment is missing or was deleted.
    """

    def __init__(
        self,
        results: str | Path,
        experiment: str,
        uri: str | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.results = Path(results).resolve()
        self.uri = uri or tracking_uri(self.results)
        self.patience = patience or Patience()
        database = database_of(self.uri)
        if database is not None and not database.is_file():
            raise UserError(f"no MLflow store at {database}; create it first (create_store)")
        relocate(self.results, self.uri, self.patience.seconds)
        self.links = links.Links(self.results)
        self.client = connect(self.uri)
        stored = self._call(self.client.get_experiment_by_name, experiment)
        where = f"in the MLflow store {public(self.uri)}"
        if stored is None:
            raise UserError(
                f"experiment {experiment!r} is not {where}; create it first (create_store)"
            )
        if stored.lifecycle_stage != "active":
            raise UserError(
                f"experiment {experiment!r} was deleted {where}; restore it there or choose "
                "another name"
            )
        self.experiment_id: str = stored.experiment_id

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
        every = artifacts(parent.unit, [parent.artifacts, *(child.shared for child in children)])
        own = [every[target] for target, _ in targets([parent.artifacts])]
        by_unit = {child.unit: artifacts(child.unit, [child.artifacts]) for child in children}
        said = {
            child.unit: lineage.of_unit(
                child.unit, by_unit[child.unit].values(), dict(targets([child.shared]))
            )
            for child in children
        }
        with self.group_lock(parent.unit):
            known = self.known(f"tags.`{GROUP_TAG}` = '{parent.unit}'")
            root = self._write(parent, every, known.pop(parent.unit, None), {}, parent.unit, own)
            tags = {lineage.PARENT_TAG: root}
            runs = {parent.unit: root}
            for child in children:
                runs[child.unit] = self._write(
                    child, by_unit[child.unit], known.pop(child.unit, None), tags, parent.unit,
                    said[child.unit],
                )  # fmt: skip
            self.adopt(known.values(), root)
        return runs

    def attach(self, unit: str, paths: Iterable[str | Path], folder: str) -> str:
        """Add files (a comparison figure, the report) to the run of ``unit`` under ``folder``.

        Returns the run's id. Raises UserError where the unit has no run.
        """
        runs = self.known(f"tags.`{UNIT_TAG}` = '{unit}'")
        if unit not in runs:
            raise UserError(
                f"unit {unit!r} has no run in the MLflow store {public(self.uri)}; record it"
            )
        run = runs[unit]
        files = artifacts(unit, [{folder: [Path(path) for path in paths]}])
        place = local_folder(run.info.artifact_uri)
        if place is not None:
            self.links.put(place, files.values(), {})
        else:
            self._upload(run.info.run_id, files.values(), {})
        return str(run.info.run_id)

    def describe(self) -> None:
        """Give the experiment its saved view and, where it has none, a description."""
        held = self._call(self.client.get_experiment, self.experiment_id).tags
        tags = experiment_tags(self.experiment_id) | noted(self.uri)
        for key, value in tags.items():
            # what users wrote stays
            if held.get(key) != value and (key == VIEW_TAG or key not in held):
                self._call(self.client.set_experiment_tag, self.experiment_id, key, value)

    def group_lock(self, group: str) -> AbstractContextManager[None]:
        """Context: one process at a time writes the runs of ``group``."""
        return locked(self.results, f"group {group}")

    def known(self, condition: str) -> dict[str, Run]:
        """Active runs that meet ``condition``, by unit; of several of a unit the oldest stays."""
        runs: dict[str, Run] = {}
        token: str | None = None
        while True:
            page = self._call(
                self.client.search_runs, [self.experiment_id], condition, max_results=1000,
                order_by=["attributes.start_time ASC", "attributes.run_id ASC"], page_token=token,
            )  # fmt: skip
            for run in page:
                kept = runs.setdefault(run.data.tags[UNIT_TAG], run)
                if kept is not run:
                    self._call(self.client.delete_run, run.info.run_id)
            token = page.token
            if not token:
                return runs

    def create(self, unit: str, start: int, tags: Mapping[str, str], name: str) -> Run:
        """A new run of ``unit``; if an attempt made one and only its answer was lost, that one."""
        attempts: list[str] = []

        def attempt() -> Run:
            if attempts and (made := self.known(f"tags.`{UNIT_TAG}` = '{unit}'").get(unit)):
                return made
            attempts.append(unit)
            labels = {UNIT_TAG: unit, **tags}
            return self.client.create_run(self.experiment_id, start, labels, name)

        return self._call(attempt)

    def _call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self.patience.call(function, *args, **kwargs)

    def adopt(self, runs: Iterable[Run], parent: str) -> None:
        """Make ``parent`` the parent of ``runs``."""
        for run in runs:
            if run.data.tags.get(lineage.PARENT_TAG) != parent:
                self._call(self.client.set_tag, run.info.run_id, lineage.PARENT_TAG, parent)

    def _write(
        self,
        record: UnitRecord,
        files: Mapping[str, Artifact],
        run: Run | None,
        relation: Mapping[str, str],
        group: str,
        said: str | list[Artifact],
    ) -> str:
        """Bring the run of ``record`` up to date, creating it where needed; returns its id.

        files: all that the run holds. said: of a unit, the tag that names them; of a parent, the
        files that are not there for its units.
        """
        if run is not None and not extends(run, record, self.client, self.patience):
            self._call(self.client.delete_run, run.info.run_id)
            run = None
        labels = {
            **{key: str(value) for key, value in record.tags.items()},
            **relation,
            GROUP_TAG: group,
            CURVES_TAG: digest(record.finite_curves()),
            UNDEFINED_TAG: " ".join(record.undefined()),
        }
        if run is None:
            start = record.start_time_ms or int(time.time() * 1000)
            run = self.create(record.unit, start, labels, record.title)
        run_id = str(run.info.run_id)
        labels["mlflow.runName"] = record.title
        if LIVE_TAG in run.data.tags:
            labels[LIVE_TAG] = "false"
        before = self._call(lineage.read, self.client, run)
        texts: dict[str, str] = {}
        # said last, and so not among the tags that a run is created with: the files are there then
        if isinstance(said, str):
            labels[lineage.FILES_TAG] = said
        else:
            content = lineage.of_parent(record.unit, said, files.values(), before)
            texts[lineage.FILE], tags = lineage.written(content)
            labels |= tags
        differs = any(
            run.data.tags.get(tag) != labels.get(tag)
            for tag in (lineage.FILES_TAG, lineage.DIGEST_TAG)
        )
        self._bring(run, files, texts, before, differs)
        changed = self._log(run, record, labels)
        if changed or run.info.status != "FINISHED":
            # the end of a followed run that was stopped is not the end of the unit
            stopped = None if LIVE_TAG in run.data.tags else run.info.end_time
            end = stopped or record.end_time_ms
            self._call(self.client.set_terminated, run_id, "FINISHED", end)
        return run_id

    def _bring(
        self,
        run: Run,
        files: Mapping[str, Artifact],
        texts: Mapping[str, str],
        before: Mapping[str, Mapping[str, str]],
        differs: bool,
    ) -> None:
        """Bring files and texts into the artifacts of ``run``, which were ``before``."""
        held = dict(before.get("own", {}))
        if texts:
            held |= before.get("shared", {})
        folder = local_folder(run.info.artifact_uri)
        if folder is None:
            if differs:
                new = [file for file in files.values() if held.get(file.target) != file.sha256]
                self._upload(run.info.run_id, new, texts)
            return
        # also where nothing has changed: a copied folder may hold copies where links can be
        self.links.put(folder, files.values(), held)
        for target, text in texts.items():
            if differs or not (folder / target).is_file():
                links.write(folder / target, text)
        if not texts:
            # a parent keeps what units share that are not recorded this time
            links.remove(folder, held.keys() - files.keys())

    def _upload(self, run_id: str, files: Iterable[Artifact], texts: Mapping[str, str]) -> None:
        with staged(files, texts) as folder:
            if not is_server(self.uri):
                self._call(self.client.log_artifacts, run_id, str(folder))
                return
            # file by file, so that a server that stops answering costs one upload and not all
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    place = path.parent.relative_to(folder).as_posix()
                    self._call(
                        self.client.log_artifact, run_id, str(path), None if place == "." else place
                    )

    def _log(self, run: Run, record: UnitRecord, labels: Mapping[str, str]) -> bool:
        """Log what the run does not hold yet; the tags come last and say that the rest is there."""
        run_id = run.info.run_id
        datasets = new_datasets(run, record)
        if datasets:
            self._call(self.client.log_inputs, run_id, datasets)
        params = {
            key: value
            for key, value in record.params_as_text().items()
            if key not in run.data.params
        }
        tags = {key: value for key, value in labels.items() if run.data.tags.get(key) != value}
        points = new_points(run, record)
        for batch in batches(params, points, tags):
            self._call(self.client.log_batch, run_id, **batch)
        return bool(datasets or params or points or tags)
