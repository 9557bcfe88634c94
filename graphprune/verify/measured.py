"""Accuracies, measured again on the test split.

On the machine, with the packages and with the device that made them they are the same numbers.
Elsewhere sums may be formed in another order, and an example whose two best classes are almost
equal may change sides: a difference in ``SHARE`` of the examples is a remark, a larger one a
finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from graphprune.files import read_json
from graphprune.layout import UnitPaths
from graphprune.verify.findings import Findings
from graphprune.verify.folder import Folder

if TYPE_CHECKING:
    from graphprune.data import Split

# of the examples of the test split, and at least so many examples
SHARE, EXAMPLES = 0.002, 2


def check(folder: Folder, findings: Findings) -> None:
    """Measure every unit whose networks and dataset are there."""
    import torch

    from graphprune import data
    from graphprune.models import networks

    # as the jobs of a run do
    torch.set_num_threads(1)
    splits: dict[tuple[str, str], Split] = {}
    for network in folder.networks():
        dataset = folder.paths.dataset(network.dataset_name)
        for unit in folder.units(network):
            needed = (dataset, unit.checkpoint, folder.start_of(unit), unit.mask, unit.finetuned)
            if not Path(unit.metrics).exists():
                continue
            if gone := [path for path in needed if not Path(path).exists()]:
                findings.remarks.append(f"{unit.metrics}: not measured again without {gone[0]}")
                continue
            with findings.reading(unit.metrics, "the metrics of a unit"):
                # as this network sees it
                seen = networks.identity_of(network.checkpoint).preprocess
                if (key := (dataset, str(seen))) not in splits:
                    splits = {key: data.read(dataset, seen).test}
                _check_unit(folder, unit, splits[key], findings)


def _check_unit(folder: Folder, unit: UnitPaths, test: Split, findings: Findings) -> None:
    metrics, _ = read_json(unit.metrics, "the metrics of a unit")
    findings.looked["units measured again"] += 1
    allowed = max(EXAMPLES, SHARE * len(test.labels)) / len(test.labels)
    for column, value in _accuracies(folder, unit, test):
        line = f"{unit.metrics}: has {column} {metrics[column]!r}; measured again {value!r}"
        if abs(metrics[column] - value) > allowed:
            findings.add(line)
        elif metrics[column] != value:
            findings.remarks.append(f"{line}, as it may on another machine")


def _accuracies(folder: Folder, unit: UnitPaths, test: Split) -> Iterator[tuple[str, float]]:
    from graphprune.models import networks
    from graphprune.training.evaluation import accuracy

    dense, _ = networks.load(unit.checkpoint)
    before, _ = networks.load_pruned(folder.start_of(unit), unit.mask)
    after, _ = networks.load(unit.finetuned)
    models = {"accuracy_dense": dense, "accuracy_pruned": before, "accuracy_finetuned": after}
    for column, model in models.items():
        yield column, accuracy(model, test)
