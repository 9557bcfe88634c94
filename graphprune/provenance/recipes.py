"""What every artifact of a run is to be made by, worked out from the configuration alone.

An artifact with another recipe than its path's was made by other settings or code, or belongs
elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from graphprune.configuration.brought import is_brought
from graphprune.configuration.complete import options
from graphprune.configuration.plan import training_of
from graphprune.data.catalog import DATASETS, describe
from graphprune.errors import UserError
from graphprune.layout import (
    MethodPaths,
    NetworkPaths,
    ResultPaths,
    UnitPaths,
    ratio_text,
)
from graphprune.methods.catalog import METHODS, build, method_class
from graphprune.models.catalog import MODELS
from graphprune.provenance import brought
from graphprune.provenance.code import SCRIPTS, digest_of
from graphprune.provenance.recipe import Recipe
from graphprune.training.regimes import FINETUNE, SCRATCH
from graphprune.training.settings import decisive


class Recipes:
    """The recipes of all artifacts of the completed configuration ``config``.

    >>> Recipes(complete(read("config.yaml"))).of("results/data/digits.safetensors").stage
    'data'
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.results = ResultPaths(str(config["results"]))
        self._networks = {(one["dataset"], one["name"]): one for one in config["networks"]}
        self._seeds = set(config["seeds"])
        self._ratios = {ratio_text(ratio) for ratio in config["compressions"]}
        self._known: dict[tuple[object, ...], Recipe] = {}

    def of(self, path: str) -> Recipe | None:
        """The recipe of the artifact at ``path``.

        None if ``path`` is that of no artifact which says itself what made it (a figure, a log), or
        if the configuration has no such network, seed, method or ratio.
        """
        try:
            parts = PurePath(path).relative_to(self.results.results).parts
        except ValueError:
            return None
        if len(parts) == 2 and parts[0] == "data" and parts[1].endswith(".safetensors"):
            name = parts[1].removesuffix(".safetensors")
            used = {one["dataset"] for one in self.config["networks"]}
            used.add(self.config["rgp_aspl"]["dataset"])
            return self.data(name) if name in used else None
        if len(parts) == 2 and parts[0] == "weights":
            fetched = (brought.fetched(self.results, one) for one in self.config["networks"])
            return next((one for one in fetched if one and one.path == path), None)
        network = self._network_of(parts)
        if network is None:
            return None
        if len(parts) == 5 and parts[3] == "dense":
            return self._dense(network, parts[4])
        if len(parts) in (6, 7) and self._has(parts[3], parts[4]):
            return self._of_method(network, parts[3:])
        return None

    def beside(self, path: str) -> Recipe | None:
        """As `of`; the history of a training has the recipe of the network beside it."""
        if path.endswith("/history.csv"):
            folder = path.removesuffix("history.csv")
            name = "checkpoint" if folder.endswith("/dense/") else "finetuned"
            path = f"{folder}{name}.safetensors"
        return self.of(path)

    def _network_of(self, parts: tuple[str, ...]) -> NetworkPaths | None:
        if len(parts) < 5 or parts[:2] not in self._networks or not parts[2].startswith("seed"):
            return None
        seed = parts[2].removeprefix("seed")
        if not seed.isdecimal() or int(seed) not in self._seeds:
            return None
        return NetworkPaths(self.results.results, parts[0], parts[1], int(seed))

    def _has(self, regime: str, label: str) -> bool:
        methods = self.config["methods"]
        return label in methods and regime in methods[label]["regimes"]

    def _dense(self, network: NetworkPaths, name: str) -> Recipe | None:
        stages: dict[str, Callable[[NetworkPaths], Recipe]] = {
            network.initial: self.initial,
            network.checkpoint: self.trained,
            network.activations: lambda one: self.examples(one, FINETUNE),
            network.initial_activations: lambda one: self.examples(one, SCRATCH),
        }
        if is_brought(self._entry(network)):
            # it has no untrained state
            del stages[network.initial], stages[network.initial_activations]
        make = stages.get(f"{network.dense_folder}/{name}")
        return make(network) if make else None

    def _of_method(self, network: NetworkPaths, parts: tuple[str, ...]) -> Recipe | None:
        regime, label, *rest = parts
        names = (network.results, network.dataset_name, network.network, network.seed)
        method = MethodPaths(*names, regime, label)
        learned = self._class(label).per_sparsity
        if rest[0] in ("scores.safetensors", "scores.json") and len(rest) == 1 and not learned:
            return self.scores(method)
        if rest[0] == "parts" and len(rest) == 2:
            part, _, suffix = rest[1].partition(".")
            return self.part(method, int(part)) if part.isdecimal() and suffix else None
        ratio = rest[0].removeprefix("x")
        if len(rest) != 2 or ratio not in self._ratios:
            return None
        unit = UnitPaths(*names, regime, label, float(ratio))
        stages: dict[str, Callable[[UnitPaths], Recipe]] = {
            "mask.safetensors": self.mask,
            "finetuned.safetensors": self.finetuned,
            "metrics.json": self.metrics,
        }
        if learned:
            stages |= {"scores.safetensors": self.scores, "scores.json": self.scores}
        make = stages.get(rest[1])
        return make(unit) if make else None

    def data(self, dataset: str) -> Recipe:
        """The prepared dataset."""
        entry = describe(dataset)
        # classes, mean, std and so on; a plug-in's function is in the code, and which augmentation
        # suits the images decides nothing here
        apart = ("reader", "augmentation")
        settings = {key: value for key, value in vars(entry).items() if key not in apart}
        reader = entry.reader if isinstance(entry.reader, str) else ""
        if not entry.streamed:
            del settings["edge"]
        code = self._code("data", reader, DATASETS.source(dataset))
        return self._kept(
            ("data", dataset),
            lambda: Recipe(
                self.results.dataset(dataset),
                "data",
                {"dataset": dataset},
                _plain({**settings, "reader": reader}),
                code,
            ),
        )

    def initial(self, network: NetworkPaths) -> Recipe:
        """The untrained network."""
        return self._kept(
            ("initial", network.id),
            lambda: self._of_network("initial", network, network.initial, {}),
        )

    def trained(self, network: NetworkPaths) -> Recipe:
        """The dense network."""

        def make() -> Recipe:
            if is_brought(entry := self._entry(network)):
                recipe = self._of_network("take_over", network, network.checkpoint, {})
                return brought.taken_over(recipe, entry, brought.fetched(self.results, entry))
            settings = self._training(network, "train")
            return self._of_network("train", network, network.checkpoint, settings)

        return self._kept(("train", network.id), make)

    def examples(self, network: NetworkPaths, regime: str) -> Recipe:
        """The calibration examples of a regime, and the layers' values for them."""

        def make() -> Recipe:
            start = self.start(network, regime)
            path = network.activations if regime == FINETUNE else network.initial_activations
            per_class = self.config["calibration"]["examples_per_class"]
            return Recipe(
                path,
                "activations",
                self._about(network),
                {"per_class": per_class, "correct": regime == FINETUNE},
                self._code("activations"),
                {"data": self.data(network.dataset_name), "checkpoint": start},
            )

        return self._kept(("activations", network.id, regime), make)

    def start(self, network: NetworkPaths, regime: str) -> Recipe:
        """The network that a regime begins with."""
        return self.trained(network) if regime == FINETUNE else self.initial(network)

    def scores(self, method: MethodPaths) -> Recipe:
        """What a method scored: once for all ratios, or for the ratio of a unit."""
        return self._kept(("scores", method.id), lambda: self._scores(method))

    def report(self, unit: UnitPaths) -> Recipe:
        """What the method of a unit reported of its scores: made with them, and kept."""
        if self._class(unit.method).per_sparsity:
            return replace(self.scores(unit), path=unit.scores_report)
        return replace(self.scores(self._method(unit)), path=unit.ranking_report)

    def part(self, method: MethodPaths, part: int) -> Recipe:
        """The scores by some of the examples."""
        whole = self.scores(method)
        settings = {**whole.settings, "part": part, "parts": self.config["calibration"]["parts"]}
        path, code = method.part(part), self._code("score_part", *self._modules(method.method))
        return Recipe(path, "score_part", whole.about, settings, code, whole.parents)

    def mask(self, unit: UnitPaths) -> Recipe:
        """The masks of a unit, with the weights that its method trained."""

        def make() -> Recipe:
            entry = self.config["methods"][unit.method]
            rescale = unit.regime == SCRATCH and self.config["scratch"]["rescale"]
            learned = self._class(unit.method).per_sparsity
            return Recipe(
                unit.mask,
                "prune",
                self._about(unit),
                {"scope": entry["scope"], "rescale": rescale},
                self._code("prune"),
                {
                    "scores": self.scores(unit if learned else self._method(unit)),
                    "checkpoint": self.start(unit, unit.regime),
                },
            )

        return self._kept(("mask", unit.id), make)

    def finetuned(self, unit: UnitPaths) -> Recipe:
        """The fine-tuned network of a unit."""

        def make() -> Recipe:
            settings = {part: self._training(unit, part) for part in ("train", "finetune")}
            if unit.regime == FINETUNE:
                del settings["train"]
            return Recipe(
                unit.finetuned,
                "finetune",
                self._about(unit),
                {**settings, "device": self.config["device"]},
                self._code("finetune", *self._model(unit)),
                {
                    "mask": self.mask(unit),
                    "checkpoint": self.start(unit, unit.regime),
                    "data": self.data(unit.dataset_name),
                },
            )

        return self._kept(("finetuned", unit.id), make)

    def metrics(self, unit: UnitPaths) -> Recipe:
        """The row of a unit."""

        def make() -> Recipe:
            return Recipe(
                unit.metrics,
                "evaluate",
                self._about(unit),
                {
                    "epochs": self._training(unit, "train")["epochs"],
                    "device": self.config["device"],
                },
                self._code("evaluate", *self._model(unit)),
                {
                    "dense": self.trained(unit),
                    "mask": self.mask(unit),
                    "finetuned": self.finetuned(unit),
                    "report": self.report(unit),
                    "data": self.data(unit.dataset_name),
                },
            )

        return self._kept(("metrics", unit.id), make)

    def _scores(self, method: MethodPaths) -> Recipe:
        entry = self.config["methods"][method.method]
        cls = self._class(method.method)
        start = self.start(method, method.regime)
        parents = {"checkpoint": start}
        if cls.examples == "calibration":
            parents["examples"] = self.examples(method, method.regime)
        elif cls.examples == "training":
            parents["data"] = self.data(method.dataset_name)
        settings = {"method": entry["method"], **options(entry)}
        if cls.per_sparsity:
            settings["device"] = self.config["device"]
            settings |= self._looser(method)
        path = method.scores if isinstance(method, UnitPaths) else method.ranking
        modules = [*self._modules(method.method), *self._model(method)]
        # in parts or at once, the scores are the same, so that `parts` is no part of the recipe
        scripts = ("score", "score_part", "gather") if cls.divisible else ("score",)
        code = self._code_of(scripts, *modules)
        return Recipe(path, "score", self._about(method), _plain(settings), code, parents)

    def _looser(self, method: MethodPaths) -> dict[str, object]:
        """Of a method that goes on from its result at the next lower ratio: all lower ratios."""
        entry = self.config["methods"][method.method]
        if not build(entry["method"], **options(entry)).chained():
            return {}
        assert isinstance(method, UnitPaths)
        lower = [r for r in self.config["compressions"] if r < float(method.compression)]
        return {"after": sorted(lower)}

    def _of_network(
        self, stage: str, network: NetworkPaths, path: str, settings: Mapping[str, object]
    ) -> Recipe:
        entry = self._entry(network)
        architecture = MODELS[entry["model"]]
        builder = architecture.builder if isinstance(architecture.builder, str) else entry["model"]
        model = {"options": {**entry["options"], **architecture.options}, "builder": builder}
        return Recipe(
            path,
            stage,
            {**self._about(network), "model": entry["model"]},
            _plain({"model": model, **settings}),
            self._code("train" if stage == "initial" else stage, *self._model(network)),
            {"data": self.data(network.dataset_name)},
        )

    def _entry(self, network: NetworkPaths) -> Mapping[str, Any]:
        """What the configuration says of a network."""
        entry: Mapping[str, Any] = self._networks[network.dataset_name, network.network]
        return entry

    def _training(self, network: NetworkPaths, section: str) -> dict[str, Any]:
        entry = self._entry(network)
        settings = decisive(training_of(self.config, entry, section))
        return {**settings, "device": self.config["device"]}

    def _about(self, paths: NetworkPaths) -> dict[str, object]:
        about: dict[str, object] = {
            "dataset": paths.dataset_name,
            "network": paths.network,
            "seed": paths.seed,
        }
        if isinstance(paths, MethodPaths):
            about |= {"regime": paths.regime, "method": paths.method}
        if isinstance(paths, UnitPaths):
            about["compression"] = float(paths.compression)
        return about

    def _method(self, unit: UnitPaths) -> MethodPaths:
        names = (unit.results, unit.dataset_name, unit.network, unit.seed)
        return MethodPaths(*names, unit.regime, unit.method)

    def _class(self, label: str) -> Any:
        return method_class(self.config["methods"][label]["method"])

    def _modules(self, label: str) -> list[str]:
        """The code of a method: its module, or the file of the plug-in that has it."""
        name = self.config["methods"][label]["method"]
        return [METHODS.source(name) or self._class(label).__module__]

    def _model(self, network: NetworkPaths) -> list[str]:
        """The code of a network: its module, or the file of the plug-in that has it."""
        name = self._entry(network)["model"]
        if source := MODELS.source(name):
            return [source]
        builder = MODELS[name].builder
        return [builder.partition(":")[0]] if isinstance(builder, str) else []

    def model_facts(self, name: str) -> dict[str, object]:
        """What decides the networks of the model ``name`` beside the options given to it."""
        architecture = MODELS[name]
        builder = architecture.builder if isinstance(architecture.builder, str) else name
        modules = [MODELS.source(name) or builder.partition(":")[0]]
        return {
            "builder": builder,
            "options": _plain(architecture.options),
            "code": digest_of(*modules),
        }

    def _code(self, script: str, *modules: str | None) -> str:
        return self._code_of((script,), *modules)

    def _code_of(self, scripts: tuple[str, ...], *modules: str | None) -> str:
        names = [m if m.endswith(".py") else m.partition(":")[0] for m in modules if m]
        return digest_of(*(str(SCRIPTS / f"{script}.py") for script in scripts), *names)

    def _kept(self, key: tuple[object, ...], make: Callable[[], Recipe]) -> Recipe:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]


def _plain(settings: Mapping[str, object]) -> dict[str, object]:
    """``settings`` as JSON gives them back: tuples are lists."""
    try:
        plain: dict[str, object] = json.loads(json.dumps(settings, sort_keys=True))
    except TypeError as error:
        raise UserError(f"settings {sorted(settings)} are no plain values ({error})") from error
    return plain
