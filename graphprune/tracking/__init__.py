"""The experiment record: finished units of work replayed into MLflow.

A *parent* run stands for one dense network (dataset, network, seed); its *children* are the units
(regime, method, compression) pruned from it. The stages of the workflow only write files. One job
then calls :meth:`Store.record` for all seeds of a network, because starting MLflow costs more than
a short stage.

Every run carries the tag ``graphprune.unit``, unique among the active runs of an experiment.
Recording a unit again updates its run. MLflow can neither change a parameter nor take back a point
of a learning curve or an input, so a run whose parameters, curves or datasets differ is deleted
(it stays in MLflow's bin until ``mlflow gc``) and replaced under the same unit. Timestamps are the
run's start plus the step, so that a point that is logged twice stays one point.

By default the store is ``<results>/mlflow.db`` (SQLite) with its artifacts beside it in
``<results>/mlartifacts``, as hard links to the results; the environment variable
``MLFLOW_TRACKING_URI`` takes precedence. Artifacts are uploaded only to where this host has no
folder, such as an MLflow server.
:class:`Patience` says how long to wait for a server that does not answer.
"""

from __future__ import annotations

import logging
import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
# Patience repeats a call knowingly; MLflow's own repetitions would create runs twice
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
logging.getLogger("alembic").setLevel(logging.WARNING)

from graphprune.jobs.provenance import source_state  # noqa: E402
from graphprune.jobs.redaction import redacted  # noqa: E402
from graphprune.tracking.address import tracking_uri  # noqa: E402
from graphprune.tracking.calls import Patience  # noqa: E402
from graphprune.tracking.store import Store, create_store  # noqa: E402
from graphprune.tracking.unit import DatasetRecord, UnitRecord, recorder  # noqa: E402

__all__ = [
    "DatasetRecord",
    "Patience",
    "Store",
    "UnitRecord",
    "create_store",
    "recorder",
    "redacted",
    "source_state",
    "tracking_uri",
]
