"""What a configuration plans: whether its networks, ratios and methods fit together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphprune.data.augmentation import augmentation_of
from graphprune.data.catalog import describe
from graphprune.errors import UserError
from graphprune.layout import ratio_text
from graphprune.methods.base import Method
from graphprune.methods.catalog import has_option, method_class
from graphprune.models.catalog import check_fit, check_options
from graphprune.models.sizes import network_size

# Snakemake plans a job in about 3 ms: 8 000 jobs in 22 s
MOST_UNITS = 20_000
MOST_JOBS = 15_000


def check_plan(config: Mapping[str, Any]) -> None:
    """UserError naming the first key whose value does not fit the others."""
    _check_networks(config["networks"])
    _check_experiment(config["rgp_aspl"])
    _check_number_of_units(config)
    _check_number_of_jobs(config)
    _check_ratios(config)
    for label, entry in config["methods"].items():
        method = _built(entry, f"methods.{label}")
        _check_training(method, entry["regimes"], config, f"methods.{label}")
        if method.divisible:
            _check_parts(config, label)


def training_of(config: Mapping[str, Any], network: Mapping[str, Any], section: str) -> Any:
    """The settings of ``section`` ("train" or "finetune") for one of the networks."""
    settings = {**config[section], **(network.get(section) or {})}
    chosen = augmentation_of(settings["augmentation"], network["dataset"])
    return {**settings, "augmentation": chosen}


def _check_networks(networks: list[Mapping[str, Any]]) -> None:
    seen = set()
    for index, network in enumerate(networks):
        pair, where = (network["dataset"], network["name"]), f"networks[{index}]"
        if pair in seen:
            raise UserError(
                f"{where} is {'/'.join(pair)} again; each pair is allowed once, and a `name` of "
                "its own makes another"
            )
        seen.add(pair)
        _check_fit(network, where)
        check_options(network["model"], network["options"], f"{where}.options")


def _check_fit(network: Mapping[str, Any], where: str) -> None:
    try:
        check_fit(network["model"], describe(network["dataset"]).input_shape)
    except UserError as error:
        raise UserError(f"{where}.model on dataset {network['dataset']}: {error}") from error


def _check_experiment(experiment: Mapping[str, Any]) -> None:
    _check_fit(experiment, "rgp_aspl")
    nodes, degree = experiment["nodes"], experiment["degree"]
    if nodes * degree % 2 or degree >= nodes:
        raise UserError(
            f"rgp_aspl: {nodes} nodes of degree {degree}; allowed: degree < nodes, and "
            "nodes x degree even"
        )


def _check_number_of_units(config: Mapping[str, Any]) -> None:
    pairs = sum(len(entry["regimes"]) for entry in config["methods"].values())
    factors = (len(config["networks"]), len(config["seeds"]), pairs, len(config["compressions"]))
    networks, seeds, methods, ratios = factors
    if networks * seeds * methods * ratios > MOST_UNITS:
        raise UserError(
            f"{networks} networks x {seeds} seeds x {methods} methods in their regimes x {ratios} "
            f"compressions are {networks * seeds * methods * ratios} units; allowed: at most "
            f"{MOST_UNITS} in one run"
        )


def _check_number_of_jobs(config: Mapping[str, Any]) -> None:
    pairs = sum(len(entry["regimes"]) for entry in config["methods"].values())
    batches = -(-len(config["compressions"]) // config["compressions_per_job"])
    trained = len(config["networks"]) * len(config["seeds"])
    # of a network: train, activations, graph, figures; of a method: score, and three a batch
    jobs = trained * (4 + pairs * (1 + 3 * batches))
    if jobs > MOST_JOBS:
        raise UserError(
            f"{len(config['networks'])} networks x {len(config['seeds'])} seeds x {pairs} methods "
            f"in their regimes are about {jobs} jobs; allowed: at most {MOST_JOBS} in one run; "
            "take fewer seeds, or a larger compressions_per_job"
        )


def _check_ratios(config: Mapping[str, Any]) -> None:
    for place, network in enumerate(config["networks"]):
        try:
            size = network_size(network["dataset"], network["model"], network["options"])
        except UserError as error:
            raise UserError(f"networks[{place}]: {error}") from error
        for index, ratio in enumerate(config["compressions"]):
            if size.prunable and round((1 - 1 / ratio) * size.prunable) >= size.prunable:
                raise UserError(
                    f"compressions[{index}] is {ratio_text(ratio)}, which leaves none of the "
                    f"{size.prunable} weights of {network['dataset']}/{network['name']}; "
                    f"allowed: at most {size.prunable}"
                )


def _built(entry: Mapping[str, Any], where: str) -> Method:
    """The method of an entry, which checks what its fields say together."""
    cls = method_class(entry["method"])
    options = {key: entry[key] for key in entry if has_option(cls, key)}
    try:
        return cls(**options)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error


def _check_training(
    method: Method, regimes: list[str], config: Mapping[str, Any], where: str
) -> None:
    """What a method's own training needs of the rest: one job for its ratios, epochs to spend."""
    ratios, together = len(config["compressions"]), config["compressions_per_job"]
    if method.chained() and together < ratios:
        raise UserError(
            f"{where}.continued is true, but compressions_per_job is {together}; "
            f"allowed: at least {ratios}, for each ratio starts from the one before it"
        )
    epochs = method.epochs_needed(runs=ratios if method.chained() else 1)
    if not epochs or "scratch" not in regimes:
        return
    for network in config["networks"]:
        sections = [training_of(config, network, part) for part in ("train", "finetune")]
        budget = sum(section["epochs"] for section in sections)
        if epochs > budget:
            raise UserError(
                f"{where} trains for {epochs} epochs; allowed in regime scratch: at most "
                f"train.epochs + finetune.epochs = {budget} of {network['dataset']}/"
                f"{network['name']}"
            )


def _check_parts(config: Mapping[str, Any], label: str) -> None:
    parts, per_class = (config["calibration"][key] for key in ("parts", "examples_per_class"))
    regimes = len(config["methods"][label]["regimes"])
    jobs = parts * len(config["networks"]) * len(config["seeds"]) * regimes
    if parts > 1 and jobs > MOST_UNITS:
        raise UserError(
            f"calibration.parts is {parts}, which makes {jobs} jobs of methods.{label}; allowed: "
            f"at most {MOST_UNITS} jobs in one run"
        )
    for network in config["networks"]:
        examples = per_class * describe(network["dataset"]).num_classes
        if parts > examples:
            raise UserError(
                f"calibration.parts is {parts}; allowed: at most one for each of the {examples} "
                f"examples of {network['dataset']}"
            )
