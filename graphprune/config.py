"""The configuration: filled with its defaults, checked whole before anything starts.

Only light imports: the workflow checks its configuration in a process that does nothing else.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from graphprune.data.catalog import describe
from graphprune.errors import UserError, one_of
from graphprune.models.catalog import check_fit

Config = dict[str, Any]
Schema = Mapping[str, Any]
# what an entry of `methods` says beside the hyperparameters
NOT_OPTIONS = ("method", "scope", "regimes")


def complete(config: Mapping[str, Any], schema: Schema) -> Config:
    """``config`` with the schema's defaults filled in, every method spelt out, and checked.

    config: the keys of ``config.yaml``. schema: ``workflow/schemas/config.schema.yaml``.

    Returns a new dictionary; each entry of ``methods`` has its ``method``, ``scope`` and
    ``regimes``.

    Raises UserError: one line naming the first wrong key, its value and what is allowed.

    >>> complete({"networks": [{"dataset": "digits", "model": "mlp"}], "seeds": [0],
    ...           "compressions": [2], "methods": {"random": {}}}, schema)["results"]
    'results'
    """
    full = copy.deepcopy(dict(config))
    _fill(full, schema, schema)
    _check(full, schema, schema, "")
    for label, entry in full["methods"].items():
        path = f"methods.{label}"
        known = schema["$defs"]["methods"]
        entry.setdefault("method", label)
        if entry["method"] not in known:
            key = path if entry["method"] == label else f"{path}.method"
            raise one_of(f"config: {key}: method", entry["method"], known)
        rules = known[entry["method"]]
        entry.setdefault("regimes", list(full["regimes"]))
        _fill(entry, rules, schema)
        _check(entry, rules, schema, path)
        _check_continued(entry, full, path)
    _check_networks(full)
    return full


def options(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters in a completed ``methods`` entry."""
    return {key: value for key, value in entry.items() if key not in NOT_OPTIONS}


def _check_continued(entry: Config, config: Config, path: str) -> None:
    """What a method's own training needs of the rest: one job for its ratios, epochs to spend."""
    ratios, together = len(config["compressions"]), config["compressions_per_job"]
    continued = entry.get("continued", False)
    if continued and together < ratios:
        raise UserError(
            f"config: {path}.continued is true, but compressions_per_job is {together}; "
            f"allowed: at least {ratios}, for each ratio goes on from the one before it"
        )
    epochs = entry.get("epochs")
    if epochs is None or "scratch" not in entry["regimes"]:
        return
    if continued:
        # half of them, rounded up, for each that goes on
        epochs += (ratios - 1) * (entry.get("epochs_continued") or -(-epochs // 2))
    for network in config["networks"]:
        sections = [{**config[part], **network.get(part, {})} for part in ("train", "finetune")]
        budget = sum(section["epochs"] for section in sections)
        if epochs > budget:
            raise UserError(
                f"config: {path} trains for {epochs} epochs; allowed in regime scratch: at most "
                f"train.epochs + finetune.epochs = {budget} of {network['dataset']}/"
                f"{network['model']}"
            )


def _check_networks(config: Config) -> None:
    seen = set()
    for index, network in enumerate(config["networks"]):
        pair = (network["dataset"], network["model"])
        where = f"config: networks[{index}]"
        if pair in seen:
            raise UserError(f"{where} is {'/'.join(pair)} again; each pair is allowed once")
        seen.add(pair)
        _check_fit(network, where)
    experiment = config["rgp_aspl"]
    _check_fit(experiment, "config: rgp_aspl")
    nodes, degree = experiment["nodes"], experiment["degree"]
    if nodes * degree % 2 or degree >= nodes:
        raise UserError(
            f"config: rgp_aspl: {nodes} nodes of degree {degree}; allowed: degree < nodes, and "
            "nodes x degree even"
        )


def _check_fit(network: Config, where: str) -> None:
    try:
        check_fit(network["model"], describe(network["dataset"]).input_shape)
    except UserError as error:
        raise UserError(f"{where}.model on dataset {network['dataset']}: {error}") from error


def _resolve(rules: Schema, schema: Schema) -> Schema:
    if "$ref" not in rules:
        return rules
    target: Any = schema
    for part in rules["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**target, **{key: value for key, value in rules.items() if key != "$ref"}}


def _fill(value: dict[str, Any], rules: Schema, schema: Schema) -> None:
    for key, found in rules.get("properties", {}).items():
        inner = _resolve(found, schema)
        if key not in value and "default" in inner:
            value[key] = copy.deepcopy(inner["default"])
        if isinstance(value.get(key), dict):
            _fill(value[key], inner, schema)


def _check(value: object, rules: Schema, schema: Schema, path: str) -> None:
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator({**rules, "$defs": schema["$defs"]})
    errors = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.path)))
    for error in errors:
        where = _join(path, error.absolute_path)
        raise UserError(f"config: {_sentence(error, where)}")


def _join(path: str, parts: Iterator[str | int] | Any) -> str:
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _sentence(error: Any, where: str) -> str:
    rule, given = error.validator_value, error.instance
    match error.validator:
        case "additionalProperties":
            known = error.schema["properties"]
            unknown = next(key for key in given if key not in known)
            keys = ", ".join(sorted(known))
            return f"{_join(where, [unknown])} is {given[unknown]!r}; allowed keys here: {keys}"
        case "required":
            missing = next(key for key in rule if key not in given)
            return f"key {_join(where, [missing])} is missing"
        case "enum":
            return str(one_of(where, given, rule))
        case "const":
            return str(one_of(where, given, [rule]))
        case "type":
            return f"{where or 'it'} is {given!r}; allowed: a value of type {rule}"
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
            sign = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">"}
            return f"{where} is {given}; allowed: {sign.get(error.validator, '<')} {rule}"
        case "minItems" | "minProperties" | "minLength":
            return f"{where} is empty; at least {rule} is needed"
        case "uniqueItems":
            return f"{where} is {given}; each entry is allowed once"
        case _:
            return f"{where}: {given!r} is not allowed ({error.message})"
