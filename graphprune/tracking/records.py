"""From the files of a finished network to what is recorded of it in MLflow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graphprune import checkpoints
from graphprune.comparison import reading
from graphprune.comparison.columns import UNIT_LABELS, UNIT_METRICS
from graphprune.errors import UserError
from graphprune.jobs.provenance import places
from graphprune.layout import NetworkPaths, UnitPaths
from graphprune.models import networks
from graphprune.models.catalog import MODELS
from graphprune.plugins import file_of
from graphprune.tracking import DatasetRecord, UnitRecord
from graphprune.tracking.unit import digest
from graphprune.training.regimes import FINETUNE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphprune.tracking.models import ModelFormat

# columns of a history that the same seed reproduces
CURVES = ("loss", "accuracy_train", "accuracy_validation", "learning_rate")


@dataclass(frozen=True)
class Network:
    """What the records of a dense network and of all its units have in common.

    results: folder of all outputs. labels: dataset, network, model, seed. tags: of the recording
    process, for the dense network's run. data: the prepared dataset. dense_model, unit_models:
    write the dense network and the units' networks as models in MLflow's format; where one is None,
    bare checkpoints are recorded.
    """

    results: Path
    labels: Mapping[str, object]
    tags: Mapping[str, object]
    data: Path
    dense_model: ModelFormat | None = None
    unit_models: ModelFormat | None = None
    keeps_scores: bool = False

    @property
    def paths(self) -> NetworkPaths:
        dataset, network, seed = (str(self.labels[k]) for k in ("dataset", "network", "seed"))
        return NetworkPaths(str(self.results), dataset, network, seed)


def dense_record(
    network: Network, settings: Mapping[str, object], dense_accuracy: float
) -> UnitRecord:
    """The parent run: training of the dense network. settings: all that was configured for it."""
    paths = network.paths
    history = Path(paths.dense_history)
    start, end = _times(history, sum(row["seconds"] for row in reading.history(history)))
    data = dataset_record(network.data)
    logs = _logs(network.results, paths.job)
    weights = Path(paths.checkpoint)
    return UnitRecord(
        unit=paths.id,
        params={**network.labels, **settings},
        metrics={"accuracy_dense": dense_accuracy},
        curves=_curves(history, "train"),
        tags={
            **network.tags,
            **made_by(weights),
            **network.labels,
            **places(_training(logs)),
            "stage": "evaluate",
            "method": "dense",
            "config_hash": digest(settings)[:16],
            "lineage": _start(data),
        },
        artifacts={
            **_dense_files(paths, network.dense_model),
            # of the first seed only
            "latency": [path for path in [Path(paths.latency)] if path.exists()],
            **logs,
        },
        datasets=[data],
        start_time_ms=start,
        end_time_ms=end,
    )


def unit_record(network: Network, metrics_path: Path, settings: Mapping[str, object]) -> UnitRecord:
    """The child run of the unit whose ``metrics.json`` is given; its files lie beside that.

    settings: everything that was configured for it. Files that all ratios of its method share lie
    one folder above. They are recorded once, where they exist (scores are removed once they have
    served), and so are the logs of the method's jobs.
    """
    metrics = reading.metrics(metrics_path)
    paths = UnitPaths.of(network.results, metrics_path)
    labels = {label: metrics[label] for label in UNIT_LABELS}
    name = f"{paths.method} {paths.ratio}"
    method, ratio = f"{paths.regime}/{paths.method}", paths.ratio
    start, end = _times(metrics_path, metrics["seconds_score"] + metrics["seconds_finetune"])
    report = {f"score/{key}": value for key, value in metrics["report"].items()}
    densities = {f"density/{row['layer']}": row["density"] for row in metrics["layers"]}
    data = dataset_record(network.data)
    logs = _logs(network.results, paths.method_job)
    weights = Path(paths.finetuned)
    return UnitRecord(
        unit=paths.id,
        name=name if labels["regime"] == FINETUNE else f"{name} from {labels['regime']}",
        params={**labels, **settings},
        metrics={
            **{key: metrics[key] for key in UNIT_METRICS},
            "compression_achieved": metrics["params_total"] / max(metrics["params_kept"], 1),
            **report,
            **densities,
        },
        curves=_curves(Path(paths.history), "finetune"),
        tags={
            **made_by(weights),
            **labels,
            **places(_training(logs)),
            "stage": "evaluate",
            "config_hash": digest(settings)[:16],
            "lineage": f"{_start(data)} > {paths.network_id} > {method} > {ratio}",
        },
        artifacts=_unit_files(paths, network.unit_models),
        shared={method: _of_all_ratios(paths, network.keeps_scores), **logs},
        datasets=[data],
        start_time_ms=start,
        end_time_ms=end,
    )


def dataset_record(path: Path) -> DatasetRecord:
    """The prepared dataset in the file ``path``, by its header alone."""
    header = checkpoints.metadata(path, "dataset")
    try:
        profile = {
            "examples": json.loads(header["examples"]),
            "shape": json.loads(header["input_shape"]),
            "classes": len(json.loads(header["classes"])),
        }
        name, content = str(header["name"]), str(header["digest"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: does not say what it holds; prepare the dataset again") from error
    return DatasetRecord(name, content, path.name, profile)


def model_format(folder: Path, weights: Path, example: NDArray[np.float32]) -> ModelFormat:
    """The writer of models for a network like that in the checkpoint ``weights``.

    folder: for its files. example: of an input, ``(1, *input shape)``.
    """
    from graphprune.tracking.models import ModelFormat

    identity = networks.identity_of(weights)
    plugin = file_of(MODELS, identity.model)
    return ModelFormat(folder, example, identity.num_classes, weights, plugin)


def example_of(
    weights: Path, data: Path, calibration: Sequence[str | Path] = ()
) -> NDArray[np.float32]:
    """An input ``(1, *input shape)`` of the network in ``weights``.

    data: the prepared dataset; its first training image is taken where there is no file
    ``calibration`` of examples.
    """
    if calibration:
        return first_example(Path(calibration[0]))
    from graphprune.data import read

    seen = networks.identity_of(weights).preprocess
    # images of a streamed dataset are read only now
    example: NDArray[np.float32] = read(data, seen).train.images[:1].to("cpu").numpy()
    return example


def first_example(calibration: Path) -> NDArray[np.float32]:
    """Input ``(1, *input shape)`` from a file of calibration examples."""
    tensors, _ = checkpoints.load(calibration, "calibration")
    inputs = tensors.get("layer/input")
    if inputs is None or str(inputs.dtype) != "torch.float32":
        raise UserError(f"{calibration}: holds no examples; remove it and run again")
    example: NDArray[np.float32] = inputs[:1].numpy()
    return example


def made_by(path: Path) -> dict[str, str]:
    """Tags of the version of graphprune that made the checkpoint ``path``.

    ``code`` identifies the source of what made it, ``commit`` and ``dirty`` the checkout; ``dirty``
    is ``"unknown"`` outside of one. UserError, naming the file, where it does not say.
    """
    made = checkpoints.header(path, "checkpoint").get("made")
    if not isinstance(made, dict) or not {"commit", "code"} <= made.keys():
        raise UserError(
            f"{path}: does not say which version of graphprune made it; remove it and run again"
        )
    dirty = str(made.get("dirty", "unknown")).lower()
    return {"commit": str(made["commit"]), "code": str(made["code"]), "dirty": dirty}


def _dense_files(paths: NetworkPaths, form: ModelFormat | None) -> dict[str, Sequence[Path]]:
    """The files of a dense network by artifact folder; its weights as a model if ``form`` is."""
    weights, files = Path(paths.checkpoint), _files(Path(paths.dense_folder))
    if form is None:
        return {"dense": files}
    others = [path for path in files if path != weights]
    return {"dense": others, **form.dense(paths.id, weights)}


def _unit_files(paths: UnitPaths, form: ModelFormat | None) -> dict[str, Sequence[Path]]:
    """The weights and masks of a unit; its other files are metrics, curves and tags of its run."""
    weights, mask = Path(paths.finetuned), Path(paths.mask)
    if form is None:
        return {"unit": [weights, mask]}
    return dict(form.pruned(paths.id, weights, mask))


def _of_all_ratios(paths: UnitPaths, keeps_scores: bool) -> list[Path]:
    """The files that serve all ratios of a unit's method.

    Scores that are not kept may still lie there, and another job is about to remove them.
    """
    files = [paths.ranking_report, paths.removal, *([paths.ranking] if keeps_scores else [])]
    return [path for path in map(Path, files) if path.exists()]


def _logs(results: Path, job: str) -> dict[str, list[Path]]:
    """Logs and benchmarks of the jobs named ``job``, by artifact folder: one for each rule."""
    by_folder: dict[str, list[Path]] = {}
    for kind, suffix in (("logs", "log"), ("benchmarks", "tsv")):
        for path in sorted((results / kind).glob(f"*/{job}.{suffix}")):
            by_folder[f"{kind}/{path.parent.name}"] = [path]
    return by_folder


def _training(logs: Mapping[str, list[Path]]) -> list[Path]:
    """The logs among ``logs`` of the jobs that trained."""
    rules = ("logs/train", "logs/units")
    return [path for place, paths in logs.items() if place.startswith(rules) for path in paths]


def _start(data: DatasetRecord) -> str:
    return f"{data.name}@{data.digest[:12]}"


def _files(folder: Path) -> list[Path]:
    # a file whose name begins with a dot is being written, or was left by a job that was killed
    return sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))


def _times(written: Path, seconds: float) -> tuple[int, int]:
    """Start and end of the work whose last file is ``written``, in Unix milliseconds."""
    end = int(1000 * written.stat().st_mtime)
    return end - int(1000 * seconds), end


def _curves(history: Path, stage: str) -> dict[str, list[tuple[int, float]]]:
    rows = reading.history(history)
    return {
        f"{stage}/{name}": [(row["epoch"], row[name]) for row in rows]
        for name in CURVES
        if rows and name in rows[0]
    }
