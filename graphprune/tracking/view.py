"""A saved view of an experiment: the comparison at a glance, opened by one address.

MLflow's user interface keeps a shared view (its *Share* button makes one) as JSON in a tag of the
experiment and opens it by ``viewStateShareKey`` in the address. The tag written here holds the
filter, the order, the columns and the charts; an interface that does not know a key leaves it.
"""

from __future__ import annotations

import json
from urllib.parse import urlencode

KEY = "comparison"
VIEW_TAG = f"mlflow.sharedViewState.{KEY}"
# the user interface shows model training, not its pages for language models
KIND_TAG, KIND = "mlflow.experimentKind", "custom_model_development"
NOTE_TAG = "mlflow.note.content"

COLUMNS = (
    "params.`dataset`",
    "params.`network`",
    "params.`regime`",
    "params.`method`",
    "params.`compression`",
    "metrics.`accuracy_finetuned`",
    "metrics.`accuracy_pruned`",
    "metrics.`sparsity`",
)
ORDER = "metrics.`accuracy_finetuned`"
FILTER = "tags.stage = 'evaluate' and tags.method != 'dense'"
# horizontal and vertical axis of the scatter charts
SCATTERS = (
    ("compression_achieved", "accuracy_finetuned"),
    ("compression_achieved", "accuracy_pruned"),
    ("flops_kept", "accuracy_finetuned"),
    ("seconds_score", "accuracy_finetuned"),
)
CURVES = ("finetune/accuracy_validation", "finetune/loss")
_SECTION = "graphprune-comparison"


def experiment_tags(experiment_id: str) -> dict[str, str]:
    """The tags that give an experiment its view and a description with the way to it."""
    note = (
        "Units pruned from each dense network, below its run; the run `comparison` holds the "
        "figures and the report. At a glance: "
        f"[accuracy against compression]({path(experiment_id)})"
    )
    return {KIND_TAG: KIND, NOTE_TAG: note, VIEW_TAG: json.dumps(_state())}


def path(experiment_id: str) -> str:
    """The address of the view, relative to that of the user interface.

    >>> path("1")
    '#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=comparison&...'
    """
    query = {
        "workflowType": "machine_learning",
        "viewStateShareKey": KEY,
        "compareRunsMode": "CHART",
    }
    return f"#/experiments/{experiment_id}/runs?{urlencode(query)}"


def _state() -> dict[str, object]:
    return {
        "searchFilter": FILTER,
        "orderByKey": ORDER,
        "orderByAsc": False,
        "lifecycleFilter": "Active",
        "startTime": "ALL",
        "selectedColumns": list(COLUMNS),
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": [*_scatters(), *_lines()],
        "compareRunSections": [_section(_SECTION, "Comparison")],
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
        "groupBy": None,
    }


def _section(uuid: str, name: str) -> dict[str, object]:
    return {
        "uuid": uuid,
        "name": name,
        "display": True,
        "isReordered": False,
        "deleted": False,
        "isGenerated": False,
    }


def _chart(kind: str, name: str) -> dict[str, object]:
    return {
        "type": kind,
        "uuid": f"graphprune-{name}",
        "metricSectionId": _SECTION,
        "deleted": False,
        "isGenerated": False,
        "runsCountToCompare": 1000,
    }


def _scatters() -> list[dict[str, object]]:
    return [
        {
            **_chart("SCATTER", f"{x}-{y}"),
            "xaxis": {"key": x, "type": "METRIC"},
            "yaxis": {"key": y, "type": "METRIC"},
        }
        for x, y in SCATTERS
    ]


def _lines() -> list[dict[str, object]]:
    return [
        {
            **_chart("LINE", name),
            "metricKey": name,
            "selectedMetricKeys": [name],
            "lineSmoothness": 0,
            "xAxisScaleType": "linear",
            "scaleType": "linear",
            "xAxisKey": "step",
            "range": {},
            "useGlobalXaxisKey": True,
            "useGlobalLineSmoothing": True,
        }
        for name in CURVES
    ]
