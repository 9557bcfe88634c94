"""What a configuration plans: whether its networks, ratios and methods fit together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphprune.configuration.brought import is_brought, shape_of
from graphprune.configuration.left_out import left_out
from graphprune.data.augmentation import augmentation_of
from graphprune.data.catalog import describe
from graphprune.errors import UserError
from graphprune.layout import ratio_text
from graphprune.methods.base import Method
from graphprune.methods.catalog import has_option, method_class
from graphprune.models.catalog import check_fit, check_options
from graphprune.models.sizes import network_size
from graphprune.training.regimes import SCRATCH
from graphprune.training.settings import Settings

# Snakemake plans a job in about 3 ms: 8 000 jobs in 22 s
MOST_UNITS = 20_000
MOST_JOBS = 15_000


def check_plan(config: Mapping[str, Any]) -> None:
    """UserError naming the first key whose value does not fit the others."""
    _check_networks(config["networks"])
    _check_settings(config)
    _check_experiment(config["rgp_aspl"])
    _check_scorable(config)
    _check_number_of_units(config)
    _check_number_of_jobs(config)
    _check_ratios(config)
    for label, entry in config["methods"].items():
        method = _built(entry, f"methods.{label}")
        _check_start(entry["regimes"], config, f"methods.{label}")
        _check_training(method, entry["regimes"], config, f"methods.{label}")
        if method.divisible:
            _check_parts(config, label)


def training_of(config: Mapping[str, Any], network: Mapping[str, Any], section: str) -> Any:
    """The settings of ``section`` ("train" or "finetune") for one of the networks."""
    settings = {**config[section], **(network.get(section) or {})}
    chosen = augmentation_of(settings["augmentation"], network["dataset"])
    settings = {**settings, "augmentation": chosen}
    # a network that was trained elsewhere is not trained
    return {**settings, "epochs": 0} if section == "train" and is_brought(network) else settings


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


def _check_settings(config: Mapping[str, Any]) -> None:
    """What the settings of each training say together."""
    for section in ("train", "finetune"):
        _settings(config[section], section)
        for place, network in enumerate(config["networks"]):
            if network.get(section):
                own = training_of(config, network, section)
                _settings(own, f"networks[{place}].{section}")
    _settings({**config["train"], **config["rgp_aspl"]["train"]}, "rgp_aspl.train")


def _settings(section: Mapping[str, Any], where: str) -> None:
    try:
        Settings.of(section, seed=0)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error


def _check_fit(network: Mapping[str, Any], where: str) -> None:
    try:
        check_fit(network["model"], shape_of(network))
    except UserError as error:
        raise UserError(f"{where}.model on dataset {network['dataset']}: {error}") from error


def _check_scorable(config: Mapping[str, Any]) -> None:
    """Every network has a method that can score it."""
    found = left_out(config)
    for index, network in enumerate(config["networks"]):
        names = network["dataset"], network["name"]
        reasons = [reason for label in config["methods"] if (reason := found.get((*names, label)))]
        if len(reasons) == len(config["methods"]):
            raise UserError(
                f"networks[{index}]: none of the methods can score {'/'.join(names)} ({reasons[0]})"
            )


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
            names = (network["dataset"], network["model"], network["options"])
            size = network_size(*names, shape_of(network))
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


def _check_start(regimes: list[str], config: Mapping[str, Any], where: str) -> None:
    """A network that was trained elsewhere has no untrained state to start from."""
    for place, network in enumerate(config["networks"]):
        if is_brought(network) and SCRATCH in regimes:
            raise UserError(
                f"{where}.regimes has scratch, which starts from the untrained network; "
                f"networks[{place}] comes trained from its checkpoint; allowed: finetune"
            )


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
