"""One small file of every kind that the package reads, and how each is read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from graphprune import data
from graphprune.checkpoints import content_of, header
from graphprune.comparison import tables
from graphprune.comparison.columns import UNIT_LABELS, UNIT_METRICS
from graphprune.configuration.complete import complete
from graphprune.configuration.reading import read as read_configuration
from graphprune.errors import UserError
from graphprune.files import read_json, write_csv, write_json
from graphprune.jobs.presence import Note, notes
from graphprune.layout import UnitPaths, check_format, mark
from graphprune.methods import results
from graphprune.methods.base import Result
from graphprune.models import networks, pruned
from graphprune.neural_graph import calibration
from graphprune.probmask import state
from graphprune.provenance import receipts
from graphprune.provenance.artifacts import Disk
from graphprune.provenance.recipes import Recipes
from graphprune.regular_graphs import trials
from graphprune.tracking import records
from graphprune.training.live import LiveCurve, running

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow"))
import targets  # noqa: E402

CONFIG = {
    "networks": [{"dataset": "digits", "model": "mlp", "options": {"hidden": [4]}}],
    "seeds": [0],
    "compressions": [2],
    "methods": {"magnitude": {}},
}
HISTORY = [
    {"epoch": epoch, "seconds": 0.5, **dict.fromkeys(records.CURVES, 0.25)} for epoch in (1, 2)
]
TRAINING = {"epochs": 3, "parameters": {"w": [2, 3]}, "start": None}


def frozen(value: Any) -> Any:
    """``value`` as something that can be compared, tensors to the bit."""
    if isinstance(value, torch.Tensor):
        return content_of({"": value})
    if isinstance(value, nn.Module):
        return frozen(value.state_dict())
    if is_dataclass(value):
        # not asdict, which copies the tensors
        return {field.name: frozen(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: frozen(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [frozen(inner) for inner in value]
    if hasattr(value, "to_csv"):
        return value.to_csv()
    return value.tobytes() if hasattr(value, "tobytes") else repr(value)


def tiny_dataset() -> data.Dataset:
    generator = torch.Generator().manual_seed(0)
    scaling = data.Scaling(16)

    def split(n: int) -> data.Split:
        pixels = torch.randint(0, 17, (n, 1, 8, 8), generator=generator).to(torch.uint8)
        return data.Split(scaling.forward(pixels), torch.arange(n) % 10)

    classes = tuple("0123456789")
    return data.Dataset("digits", split(10), split(4), split(4), classes, (1, 8, 8), scaling)


def metrics() -> dict[str, object]:
    unit: dict[str, object] = {"dataset": "digits", "network": "mlp", "model": "mlp", "seed": 0}
    unit |= {"regime": "finetune", "method": "magnitude", "compression": 2.0}
    numbers = dict.fromkeys(UNIT_METRICS, 0.5) | {"params_total": 8, "params_kept": 4, "epochs": 3}
    numbers |= {"flops_total": 8, "flops_kept": 4, "file_size_total": 80, "file_size_kept": 40}
    assert unit.keys() == set(UNIT_LABELS)
    layers = [{"layer": "fc1", "density": 0.5, "flops_kept": 4}]
    return {**unit, **numbers, "report": {"aspl": 1.5}, "layers": layers}


class Files:
    """A folder of results with one file of each kind."""

    def __init__(self, folder: Path) -> None:
        self.results = folder / "out"
        self.config = complete({**CONFIG, "results": str(self.results)})
        self.recipes = Recipes(self.config)
        names = ("digits", "mlp", 0, "finetune", "magnitude", 2)
        self.paths = UnitPaths(str(self.results), *names)
        more = self.results / "more"
        self.trained, self.part = more / "trained/mask.safetensors", more / "0.safetensors"
        self.state, self.ids = more / "state.safetensors", more / "store.json"
        self.dataset = Path(self.paths.dataset("digits"))
        self.graphs = f"{self.paths.aspl}/graphs.safetensors"
        self.receipt = self.paths.made(self.paths.configuration)
        mark(self.results)
        self._write_network()
        self._write_unit()
        self._write_others()

    def made(self, path: str) -> dict[str, object]:
        recipe = self.recipes.of(path)
        assert recipe is not None
        return Disk().made(recipe)

    def _write_network(self) -> None:
        paths, dataset = self.paths, tiny_dataset()
        data.save(self.dataset, dataset, self.made(str(self.dataset)))
        self.identity = networks.Identity(
            "digits", "mlp", (1, 8, 8), 10, 0, options={"hidden": [4]}
        )
        self.model = self.identity.build()
        # a network says what history lies beside it
        write_csv(paths.dense_history, HISTORY)
        for path in (paths.initial, paths.checkpoint):
            networks.save(path, self.model.state_dict(), self.identity, self.made(path))
        said = self.made(paths.activations)
        calibration.save(paths.activations, self.model, dataset.train, torch.arange(3), said)

    def _write_unit(self) -> None:
        paths, model = self.paths, self.model
        scores = {"fc1.weight": model.fc1.weight.abs().detach()}
        scores |= {"fc2.weight": model.fc2.weight.abs().detach()}
        result = Result(scores, report={"aspl": 1.5})
        results.save(paths.ranking, result, "magnitude", self.made(paths.ranking))
        results.save(self.part, result, "magnitude", seconds=0.5)
        results.save_report(
            paths.ranking_report,
            results.Report("magnitude", {"aspl": 1.5}, 0.5),
            self.made(paths.ranking_report),
        )
        masks = {name: score > score.median() for name, score in scores.items()}
        pruned.save(paths.mask, masks, rescale=True, made=self.made(paths.mask))
        weights = model.state_dict()
        pruned.save(self.trained, masks, weights)
        pruned.apply_file(model, paths.mask)
        write_csv(paths.history, HISTORY)
        said = self.made(paths.finetuned)
        networks.save(paths.finetuned, model.state_dict(), self.identity, said, paths.mask)
        write_json(paths.metrics, metrics(), self.made(paths.metrics))

    def _write_others(self) -> None:
        paths = self.paths
        state.write(self.state, {"w": torch.ones(2, 3)}, {"training": TRAINING, "epoch": 1})
        ring = torch.eye(5).bool().roll(1, 0) | torch.eye(5).bool().roll(-1, 0)
        trials.save_graphs(self.graphs, [ring.numpy(), ring.numpy()])
        write_json(self.ids, {"experiment_id": "7"})
        write_json(paths.configuration, self.config)
        self.live = LiveCurve(self.results, "digits/mlp/seed0", "train", {"seed": 0})
        self.live.__enter__()
        self.live({"epoch": 1, "loss": 0.5})
        self.note = self.results / "notes" / "n1-4711-0a.json"
        write_json(self.note, vars(Note("n1", 4711, 0, "out", cluster=False)))
        self.yaml = self.results / "config.yaml"
        self.yaml.write_text("seeds: [0]\nresults: results/mine\n")
        self.latency = self.results / "latency.csv"
        key = {"dataset": "digits", "network": "mlp", "seed": 0, "regime": "finetune"}
        key |= {"method": "magnitude", "compression": 2.0, "model": "mlp"}
        timed = {"dense": 0.5, "masked": 0.5, "compact": 0.25}
        write_csv(self.latency, [{**key, **timed, "batch_size": size} for size in (1, 64)])
        inputs = [paths.dataset("digits"), paths.dense_history, str(self.latency)]
        self.facts = receipts.JobFacts("compare.py", {"a": 1}, inputs, [paths.configuration])
        receipts.write(self.facts, self.recipes, Disk())

    def misfit(self, of: str) -> None:
        """UserError, with the reason, if the artifact ``of`` is not what it should be."""
        recipe = self.recipes.of(of)
        assert recipe is not None
        if reason := Disk().misfit(recipe):
            raise UserError(reason)

    def receipt_misfit(self) -> None:
        if reason := receipts.misfit(self.facts, self.recipes, Disk()):
            raise UserError(reason)

    def every(self) -> list[Path]:
        """All files."""
        return sorted(path for path in self.results.rglob("*") if path.is_file())


@dataclass(frozen=True)
class Reader:
    """How a file is read.

    file: which. read: what it holds. sealed: whether every change of it is found. any_kind: whether
    it reads files of all kinds, and says what they say. of_folder: whether errors name the folder.
    """

    file: Callable[[Files], str | Path]
    read: Callable[[Files], Any]
    sealed: bool = True
    any_kind: bool = False
    of_folder: bool = False


def reader(
    file: Callable[[Files], str | Path],
    read: Callable[[Path], Any],
    sealed: bool = True,
    any_kind: bool = False,
) -> Reader:
    """One that needs the file alone."""
    return Reader(file, lambda f: read(Path(file(f))), sealed, any_kind)


def dense_curves(files: Files) -> Any:
    labels = {"dataset": "digits", "network": "mlp", "model": "mlp", "seed": 0}
    network = records.Network(files.results, labels, {}, files.dataset)
    return records.dense_record(network, {}, 0.5).curves


def unit_record(files: Files) -> Any:
    network = records.Network(files.results, {}, {}, files.dataset)
    record = records.unit_record(network, Path(files.paths.metrics), {})
    # from the file's clock
    return replace(record, start_time_ms=None, end_time_ms=None)


READERS = {
    "header": reader(lambda f: f.paths.checkpoint, lambda path: header(path, "checkpoint")),
    "checkpoint": reader(lambda f: f.paths.checkpoint, networks.load),
    "identity": reader(lambda f: f.paths.initial, networks.identity_of),
    "finetuned": reader(lambda f: f.paths.finetuned, networks.load),
    "masks beside": Reader(lambda f: f.paths.mask, lambda f: networks.load(f.paths.finetuned)),
    "masks": reader(lambda f: f.paths.mask, pruned.read),
    "pruned": Reader(
        lambda f: f.paths.mask, lambda f: networks.load_pruned(f.paths.checkpoint, f.paths.mask)
    ),
    "trained by the method": Reader(
        lambda f: f.trained, lambda f: networks.load_pruned(f.paths.checkpoint, f.trained)
    ),
    "scores": reader(lambda f: f.paths.ranking, results.load),
    "report": reader(lambda f: f.paths.ranking_report, results.load_report),
    "part": reader(lambda f: f.part, results.load_part),
    "dataset": reader(lambda f: f.dataset, data.read),
    "dataset record": reader(lambda f: f.dataset, records.dataset_record),
    "calibration": reader(lambda f: f.paths.activations, calibration.read),
    "example": reader(lambda f: f.paths.activations, records.first_example),
    "probmask": reader(lambda f: f.state, lambda path: state.read(path, TRAINING)),
    "graphs": reader(lambda f: f.graphs, trials.load_graphs),
    "said": reader(lambda f: f.paths.mask, lambda path: Disk().said(str(path)), any_kind=True),
    "misfit of a mask": Reader(lambda f: f.paths.mask, lambda f: f.misfit(f.paths.mask)),
    "misfit of metrics": Reader(lambda f: f.paths.metrics, lambda f: f.misfit(f.paths.metrics)),
    "misfit of a parent": Reader(lambda f: f.paths.mask, lambda f: f.misfit(f.paths.finetuned)),
    "metrics": reader(
        lambda f: f.paths.metrics, lambda path: read_json(path, "metrics", True), any_kind=True
    ),
    "unit record": Reader(lambda f: f.paths.metrics, unit_record),
    "receipt": Reader(lambda f: f.receipt, Files.receipt_misfit),
    "output of a receipt": Reader(lambda f: f.paths.configuration, Files.receipt_misfit),
    "input of a receipt": Reader(lambda f: f.latency, Files.receipt_misfit),
    "history": Reader(lambda f: f.paths.dense_history, dense_curves, sealed=False),
    "experiment": reader(lambda f: f.ids, targets.experiment, sealed=False),
    "configuration": reader(lambda f: f.yaml, read_configuration, sealed=False),
    "marker": Reader(
        lambda f: f.paths.marker, lambda f: check_format(f.results), sealed=False, of_folder=True
    ),
    "live": Reader(lambda f: f.live.path, lambda f: running(f.results, 0), sealed=False),
    "notes": reader(lambda f: f.note, lambda path: notes(path.parent), sealed=False),
    "tables": reader(lambda f: f.paths.metrics, lambda path: tables.tables([path])),
    "latencies": Reader(
        lambda f: f.latency,
        lambda f: tables.tables([f.paths.metrics], [f.latency]),
        sealed=False,
    ),
}


def json_of(path: Path) -> Any:
    """What a JSON file, or the header of a safetensors file, holds."""
    content = path.read_bytes()
    if path.suffix == ".safetensors":
        content = content[8 : 8 + int.from_bytes(content[:8], "little")]
    return json.loads(content)


def kind_of(path: Path) -> str:
    """The kind in the header of a safetensors file; of other files the name."""
    if path.suffix == ".safetensors":
        return str(header(path)["kind"])
    return path.name
