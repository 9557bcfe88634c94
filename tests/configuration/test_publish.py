"""The published pages: not stale, and true to what the package itself checks."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from configuration.examples import FULL, MINIMAL, refusal
from jsonschema import Draft202012Validator

from graphprune.configuration.complete import NOT_OPTIONS, complete
from graphprune.configuration.publish import PAGE, SCHEMA, page, schema_text
from graphprune.data.catalog import DATASETS
from graphprune.errors import UserError
from graphprune.methods.base import SET_BY_WORKFLOW
from graphprune.methods.catalog import METHODS, method_class
from graphprune.models.catalog import MODELS
from graphprune.training.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = [
    ROOT / "config.yaml",
    ROOT / "examples" / "comparison.yaml",
    *sorted((ROOT / "workflow" / "presets").glob("*.yaml")),
]
PUBLISHED: dict[str, Any] = yaml.safe_load(SCHEMA.read_text())
VALIDATOR = Draft202012Validator(PUBLISHED)
Key = tuple[str | int, ...]


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    reference = part.get("$ref")
    return PUBLISHED["$defs"][reference.rsplit("/", 1)[1]] if reference else part


def leaves(part: dict[str, Any], key: Key = ()) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Every key of a single type, and the rules for its value."""
    part = resolved(part)
    for choice in part.get("anyOf", []):
        if resolved(choice).get("type") in ("object", "array"):
            yield from leaves(choice, key)
    if part.get("type") == "object":
        for name, inner in part.get("properties", {}).items():
            yield from leaves(inner, (*key, name))
    elif part.get("type") == "array":
        yield from leaves(part["items"], (*key, 0))
    elif "type" in part:
        yield key, part


LEAVES = dict(leaves(PUBLISHED))


def wrong_values(rules: dict[str, Any]) -> Iterator[object]:
    """Values beside what the schema's rules allow; a float for an integer is none to it."""
    kind = rules["type"]
    yield from (["x"], {"x": 1})
    yield from ([] if kind == "string" else ["text"])
    yield from ([] if kind == "boolean" else [True])
    yield from ([] if kind in ("integer", "number") else [1, 0.5])
    if kind == "integer":
        yield 1.5
    if "enum" in rules or "const" in rules or "pattern" in rules:
        yield "No Such"
    if rules.get("minLength"):
        yield ""
    if "maxLength" in rules:
        yield "a" * (rules["maxLength"] + 1)
    for bound, step in (("minimum", -1), ("maximum", 1)):
        if bound in rules:
            limit = rules[bound]
            yield limit + step if kind == "integer" else math.nextafter(limit, step * math.inf)
        if (exclusive := f"exclusive{bound.capitalize()}") in rules:
            yield rules[exclusive]


def with_value(key: Key, value: object) -> dict[str, Any]:
    config = copy.deepcopy(FULL)
    inner: Any = config
    for place, part in enumerate(key[:-1]):
        missing = [] if isinstance(key[place + 1], int) else {}
        inner = inner.setdefault(part, missing) if isinstance(inner, dict) else inner[part]
    if isinstance(inner, list) and not inner:
        inner.append(value)
    else:
        inner[key[-1]] = value
    return config


def test_published_files_are_not_stale() -> None:
    command = "run python -m graphprune.configuration.publish"
    assert SCHEMA.read_text() == schema_text(), command
    assert PAGE.read_text() == page(), command


def test_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(PUBLISHED)
    assert "&id" not in SCHEMA.read_text()
    assert len(LEAVES) > 80


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_schema_takes_the_shipped_configurations(path: Path) -> None:
    VALIDATOR.validate(yaml.safe_load(path.read_text()))


def test_schema_takes_what_complete_returns() -> None:
    VALIDATOR.validate(FULL)
    full = complete(FULL)
    VALIDATOR.validate(full)


@pytest.mark.parametrize("key", LEAVES, ids=lambda key: ".".join(map(str, key)))
def test_what_the_schema_refuses_the_package_refuses_by_the_name_of_the_key(key: Key) -> None:
    name = ""
    for part in key:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    for value in wrong_values(LEAVES[key]):
        config = with_value(key, value)
        assert not VALIDATOR.is_valid(config), (key, value)
        # a text is no object, so a wrong container may be said of the list around an entry
        assert name.removesuffix("[0]") in refusal(config), (key, value)


@pytest.mark.parametrize(
    "key",
    [key for key, rules in LEAVES.items() if rules["type"] in ("integer", "number")],
    ids=lambda key: ".".join(map(str, key)),
)
def test_bounds_of_the_schema_are_those_of_the_package(key: Key) -> None:
    """A value at the bound is right for both: what is refused then is another key, or a plan."""
    rules = LEAVES[key]
    for bound in ("minimum", "maximum"):
        if bound in rules:
            value = rules[bound]
            config = with_value(key, int(value) if rules["type"] == "integer" else value)
            assert VALIDATOR.is_valid(config)
            message = ""
            try:
                complete(config)
            except UserError as error:
                message = str(error)
            assert "; allowed: >" not in message
            assert "; allowed: <" not in message


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"sedes": [1]}, "sedes"),
        ({"train": {"lr": 1, "epochs": 1}}, "train.lr"),
        ({"train": {}}, "train.epochs is missing"),
        ({"networks": [{"dataset": "digits"}]}, "model is missing"),
        ({"networks": []}, "networks is empty"),
        ({"seeds": [1, 1]}, "each entry is allowed once"),
        ({"compressions": [2, 2.0]}, "each entry is allowed once"),
        ({"regimes": ["scratch", "scratch"]}, "each entry is allowed once"),
        ({"methods": {}}, "methods is empty"),
        ({"methods": {"magnitude": {"method": "random"}}}, "methods.magnitude.method"),
        ({"methods": {"magnitude": {"seed": 1}}}, "methods.magnitude.seed"),
        ({"methods": {"rgp": {"sparsity": 0.5}}}, "methods.rgp.sparsity"),
    ],
)
def test_schema_and_package_refuse_the_same(change: dict[str, Any], sentence: str) -> None:
    config = {**MINIMAL, **change}
    assert not VALIDATOR.is_valid(config)
    assert sentence in refusal(config)


def test_schema_knows_exactly_what_the_package_offers() -> None:
    network = PUBLISHED["$defs"]["Network"]["properties"]
    assert set(network["dataset"]["examples"]) == set(DATASETS.builtin())
    assert set(network["model"]["examples"]) == set(MODELS.builtin())
    assert set(PUBLISHED["properties"]["methods"]["properties"]) == set(METHODS.builtin())
    trained = {field.name for field in fields(Settings)} - {"seed"}
    for name, more in (("Training", {"recipe"}), ("Overrides", {"recipe"}), ("Recipe", set())):
        assert set(PUBLISHED["$defs"][name]["properties"]) == trained | more


@pytest.mark.parametrize("name", METHODS.builtin())
def test_the_keys_of_a_method_are_its_fields_with_their_defaults(name: str) -> None:
    keys = PUBLISHED["$defs"][f"method_{name}"]["properties"]
    given = {
        field.name: field.default
        for field in fields(method_class(name))
        if field.name not in SET_BY_WORKFLOW
    }
    assert {key: keys[key]["default"] for key in keys if key not in NOT_OPTIONS} == given
    for key in given:
        assert len(keys[key]["description"]) > 5, key


def test_the_defaults_of_a_training_are_those_of_its_settings() -> None:
    first = Settings(epochs=0)
    given = {name: value for name, value in vars(first).items() if name not in ("epochs", "seed")}
    for section in ("train", "finetune"):
        default = dict(PUBLISHED["properties"][section]["default"])
        assert default.pop("epochs") > 0
        assert default == given
    keys = PUBLISHED["$defs"]["Training"]["properties"]
    found = {key: keys[key].get("default") for key in keys}
    assert found == {"epochs": None, "recipe": None, **given}
    # a setting that is not given is not changed
    assert not any("default" in rules for rules in PUBLISHED["$defs"]["Overrides"]["properties"])


def test_published_defaults_are_those_that_are_filled_in() -> None:
    full = complete(MINIMAL)
    for key, rules in PUBLISHED["properties"].items():
        if key == "recipes":  # what they say stands in the trainings
            assert key not in full
        elif "default" in rules:
            assert full[key] == rules["default"], key
        else:
            assert key in MINIMAL
        for inner, its_rules in resolved(rules).get("properties", {}).items():
            if "default" in its_rules and key not in ("train", "finetune", "methods"):
                assert full[key][inner] == its_rules["default"], (key, inner)


def test_the_page_describes_every_key() -> None:
    text = PAGE.read_text()
    for key in LEAVES:
        if names := [part for part in key if isinstance(part, str)]:
            assert f"`{names[-1]}`" in text, key
    for name in METHODS.builtin():
        row = text.split(f"### `{name}`\n")[1].split("\n#")[0]
        assert method_class(name).paper in row
        for field in fields(method_class(name)):
            assert (f"\n| `{field.name}` |" in row) == (field.name not in SET_BY_WORKFLOW)
    for line in text.splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            assert len(cells) == 4, line
            assert all(cells), line
