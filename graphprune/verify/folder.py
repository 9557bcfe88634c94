"""A folder of results: its configuration, and the files in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from graphprune.configuration.brought import is_brought
from graphprune.configuration.complete import Complete, complete
from graphprune.configuration.left_out import LeftOut, labels_without, left_out
from graphprune.configuration.needs import needs_activations
from graphprune.errors import UserError
from graphprune.files import read_json
from graphprune.layout import (
    MARKER,
    MethodPaths,
    NetworkPaths,
    ResultPaths,
    UnitPaths,
    check_format,
)
from graphprune.methods.catalog import method_class
from graphprune.provenance.artifacts import Disk
from graphprune.provenance.brought import fetched
from graphprune.provenance.recipes import Recipes
from graphprune.training.regimes import SCRATCH

# what a run leaves beside its results: logs, MLflow's own files, notes of the run that goes on
_BESIDE = {"benchmarks", "live", "logs", "mlartifacts", ".locks"}


@dataclass(frozen=True)
class Folder:
    """The folder ``results``, its completed configuration, and what is to lie in it."""

    results: str
    config: Complete

    @classmethod
    def read(cls, results: str, plugins: bool = False) -> Folder:
        """The folder with the configuration that its last run wrote into it.

        plugins: load the plug-ins that it names, which runs their code.

        Raises UserError for a folder that no run has made, and for a configuration that is not
        allowed, or names plug-ins that are not to be loaded.
        """
        check_format(results)
        paths = ResultPaths(str(Path(results)))
        if not Path(results).is_dir():
            raise UserError(f"{results}: no such folder; expected the results of a run")
        config, _ = read_json(paths.configuration, "the configuration of a run in its results")
        if (named := config.get("plugins")) and not plugins:
            raise UserError(
                f"{paths.configuration}: names the plug-ins {named}; --plugins loads them, which "
                "runs their code"
            )
        try:
            # where the results and the data lie now is not for the configuration to say
            folders = config.get("data", {}).get("folders", {})
            kept = {**config, "results": "results", "data": {"folders": folders}}
            full = complete(kept, look=False)
        except UserError as error:
            raise UserError(f"{paths.configuration}: {error}") from error
        return cls(paths.results, {**full, "results": paths.results})

    @cached_property
    def paths(self) -> ResultPaths:
        return ResultPaths(self.results)

    @cached_property
    def recipes(self) -> Recipes:
        return Recipes(self.config)

    @cached_property
    def disk(self) -> Disk:
        return Disk()

    @cached_property
    def left_out(self) -> dict[str, str]:
        """The artifacts that an archive left out, by path, and the digests of their content."""
        if not Path(self.paths.left_out).exists():
            return {}
        value, _ = read_json(self.paths.left_out, "what an archive left out")
        return {f"{self.results}/{name}": str(digest) for name, digest in value.items()}

    @cached_property
    def files(self) -> list[str]:
        """All files of results, sorted; those that a run leaves beside them are not among them."""
        own = {self.paths.configuration, self.paths.batches, self.paths.report, self.paths.marker}
        own |= {self.paths.left_out, self.paths.database}
        found = []
        for place, folders, names in os.walk(self.results):
            if place == self.results:
                folders[:] = [name for name in folders if name not in _BESIDE]
            found += [f"{place}/{name}" for name in names]
        beside = (f"{self.paths.database}-", f"{self.results}/{MARKER}")
        return sorted(path for path in found if path not in own and not path.startswith(beside))

    @cached_property
    def unscored(self) -> LeftOut:
        """The methods that cannot score a network, and why."""
        return left_out(self.config)

    def networks(self) -> Iterator[NetworkPaths]:
        """Every dense network of the configuration."""
        for one in self.config["networks"]:
            for seed in self.config["seeds"]:
                yield NetworkPaths(self.results, one["dataset"], one["name"], seed)

    def entry(self, network: NetworkPaths) -> Mapping[str, Any]:
        """What the configuration says of a dense network."""
        names = (network.dataset_name, network.network)
        return next(e for e in self.config["networks"] if (e["dataset"], e["name"]) == names)

    def units(self, network: NetworkPaths) -> Iterator[UnitPaths]:
        """Every unit of a network."""
        names = (network.results, network.dataset_name, network.network, network.seed)
        for label, entry in self.config["methods"].items():
            if (network.dataset_name, network.network, label) in self.unscored:
                continue
            for regime in entry["regimes"]:
                for ratio in self.config["compressions"]:
                    yield UnitPaths(*names, regime, label, ratio)

    def report_of(self, unit: UnitPaths) -> str:
        """The file of what the unit's method reported."""
        return unit.scores_report if self.learned(unit) else unit.ranking_report

    def scores_of(self, unit: UnitPaths) -> str:
        """The file of the scores of the unit's method, removed once the masks exist."""
        return unit.scores if self.learned(unit) else unit.ranking

    def learned(self, method: MethodPaths) -> bool:
        return bool(method_class(self.config["methods"][method.method]["method"]).per_sparsity)

    def expected(self) -> Iterator[str]:
        """The paths of all artifacts of a finished run; scores are removed once they are used."""
        for one in self.config["networks"]:
            yield self.paths.dataset(one["dataset"])
            if weights := fetched(self.paths, one):
                yield weights.path
        for network in self.networks():
            if not is_brought(self.entry(network)):
                yield network.initial
            yield from (network.checkpoint, network.dense_history)
            names = (network.dataset_name, network.network)
            if needs_activations(self.config, labels_without(self.unscored, *names)):
                yield network.activations
            for unit in self.units(network):
                yield from (self.report_of(unit), unit.mask, unit.finetuned)
                yield from (unit.history, unit.metrics)

    def start_of(self, unit: UnitPaths) -> str:
        """The checkpoint that the unit's regime begins with."""
        return unit.initial if unit.regime == SCRATCH else unit.checkpoint
