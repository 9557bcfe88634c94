"""Which files led to a run: its own, and those that units share and the parent's run holds.

A parent says it in its artifact ``lineage.json``. A unit, of which there are thousands, says it in
a tag, which costs no file: its own files with their digests, and the paths of the shared ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from graphprune.errors import UserError
from graphprune.tracking.address import local_folder
from graphprune.tracking.files import Artifact
from graphprune.tracking.unit import digest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

FILE = "lineage.json"
PARENT_TAG = "mlflow.parentRunId"
# of a unit: its files; of a parent: the digest of lineage.json
FILES_TAG, DIGEST_TAG = "graphprune.files", "graphprune.lineage"
# what graphprune before 0.3 wrote: every run had a lineage.json
OLD_TAG = "graphprune.artifacts"
# MLflow cuts longer tags off
_TAG_LENGTH = 8000

Digests = dict[str, str]


def of_unit(unit: str, own: Iterable[Artifact], shared: Iterable[str]) -> str:
    """The tag of a unit; UserError where it names more files than MLflow's tags hold."""
    files = {"own": _digests(own), "shared": sorted(shared)}
    text = json.dumps(files, separators=(",", ":"))
    if len(text) > _TAG_LENGTH:
        raise UserError(
            f"{unit}: its {len(files['own'])} artifacts and {len(files['shared'])} shared files "
            f"take {len(text)} characters to list; allowed: {_TAG_LENGTH}"
        )
    return text


def of_parent(
    unit: str, own: Iterable[Artifact], shared: Iterable[Artifact], before: Mapping[str, Any]
) -> dict[str, object]:
    """The content of ``lineage.json``.

    before: what it was. The shared files of units that are not recorded this time stay in it.
    """
    files = _digests(own)
    kept = {**before.get("shared", {}), **_digests(shared)}
    shared_files = {path: sha for path, sha in sorted(kept.items()) if path not in files}
    return {"unit": unit, "own": files, "shared": shared_files}


def written(content: Mapping[str, object]) -> tuple[str, Digests]:
    """``lineage.json`` as text, and the tag that tells it from another."""
    return json.dumps(content, indent=1) + "\n", {DIGEST_TAG: digest(content)}


def read(client: MlflowClient, run: Run) -> dict[str, Any]:
    """What the run says about its files; empty where it says nothing yet."""
    said: dict[str, Any] = {}
    if FILES_TAG in run.data.tags:
        said = json.loads(run.data.tags[FILES_TAG])
    elif DIGEST_TAG in run.data.tags:
        folder = local_folder(run.info.artifact_uri)
        if folder is None:
            with TemporaryDirectory(prefix="graphprune-") as scratch:
                copy = client.download_artifacts(run.info.run_id, FILE, scratch)
                said = json.loads(Path(copy).read_text())
        # a results folder may have been copied without its artifacts
        elif (folder / FILE).is_file():
            said = json.loads((folder / FILE).read_text())
    return said


def trace(client: MlflowClient, run_id: str) -> list[dict[str, str]]:
    """Every file that led to a run: its ``path`` among the artifacts of ``run_id``, its ``sha256``.

    Of a unit these are its own files, the dense network's, and those that its method shares.

    >>> trace(client, unit)[0]  # doctest: +SKIP
    {'path': 'model/MLmodel', 'run_id': '0d2c...', 'sha256': '9f86...'}
    """
    run = client.get_run(run_id)
    said = read(client, run)
    entries = _entries(run_id, said.get("own", {}))
    if FILES_TAG not in run.data.tags:
        return entries + _entries(run_id, said.get("shared", {}))
    parent = run.data.tags[PARENT_TAG]
    above = read(client, client.get_run(parent))
    known = {**above.get("shared", {}), **above.get("own", {})}
    shared = {path: known[path] for path in said["shared"] if path in known}
    return entries + _entries(parent, {**above.get("own", {}), **shared})


def _digests(files: Iterable[Artifact]) -> Digests:
    return {file.target: file.sha256 for file in sorted(files, key=lambda file: file.target)}


def _entries(run_id: str, files: Digests) -> list[dict[str, str]]:
    return [{"path": path, "run_id": run_id, "sha256": sha} for path, sha in files.items()]
