"""Odd configurations: each is accepted and can be planned, or refused in one readable line."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from configuration.examples import FULL, is_readable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphprune.configuration.complete import complete, options
from graphprune.configuration.plan import training_of
from graphprune.errors import UserError
from graphprune.jobs import demands
from graphprune.layout import UnitPaths
from graphprune.methods.catalog import build

Place = tuple[str | int, ...]

SELF: list[Any] = []
SELF.append(SELF)
DEEP: Any = 0
for _ in range(50):
    DEEP = [DEEP, DEEP]
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3, 2**31, 2**63, 2**64, 10**30, 10**400, 10**5000, -(10**5000),
    0.0, -0.0, 0.5, 1.0, 2.5, 1e-300, 1e9, 1e308, math.nan, math.inf, -math.inf,
    "", " ", "a", "no", "12", "a\n", "a\tb", "\0", "\x85", "\u2028", "\ud800", "é", "𝒳", "a" * 5000,
    "~/x", "-rf", "{x}", "{where}", "*", "../..", "/", ".", "..", "a.b", "a b", "'; touch pwned; '",
    "digits", "mlp", "magnitude", "rgp", "finetune", "scratch", "cuda", "1e3", "%s", "$HOME",
    [], {}, [[]], [{}], [None], [0], [0, 0], [[0]], ["a"], [math.nan], [True], list(range(5000)),
    {"a": 1}, {"": 1}, {1: 1}, {None: None}, {True: 1}, {("a", "b"): 1}, {"a.b": 1}, {"a\nb": 1},
    {"\ud800": 1}, {"x" * 5000: 1}, {"method": "random"}, {"epochs": 10**400}, {"[key]": 1},
    b"bytes", date(2026, 1, 1), (1, 2), {1, 2}, 1j, SELF, DEEP,
]  # fmt: skip


def places(value: Any, path: Place = ()) -> Iterator[Place]:
    """Every place in ``value``, sections and lists included."""
    if path:
        yield path
    if not isinstance(value, dict | list):
        return
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield from places(inner, (*path, key))


# with all defaults written out, so that every key is there
VALID = complete(FULL)
PLACES = list(places(VALID))


def inner_of(config: Any, path: Place) -> Any:
    for part in path:
        config = config[part]
    return config


def plan(config: dict[str, Any]) -> None:
    """What the workflow computes from a complete configuration before any job starts."""
    json.dumps(config, allow_nan=False).encode()
    seen = set()
    learned = [entry for entry in config["methods"].values() if entry["method"] == "probmask"]
    for network in config["networks"]:
        paths = [
            UnitPaths(
                config["results"], network["dataset"], network["name"], seed, regime, label, ratio
            )
            for seed in config["seeds"][:3]
            for label, entry in config["methods"].items()
            for regime in entry["regimes"]
            for ratio in config["compressions"][:3]
        ]
        for unit in paths:
            assert UnitPaths.of(config["results"], unit.mask) == unit
            seen.add(unit.mask)
        trainings = [training_of(config, network, section) for section in ("train", "finetune")]
        epochs = [float(training["epochs"]) for training in trainings]
        images = demands.images_of(network["dataset"])
        for entry in learned:
            method = build(entry["method"], **options(entry), sparsity=0.5)
            epochs.append(method.epochs_needed(images, 2) * method.passes_an_epoch())
        for stage in demands.BASE:
            task = demands.Task(
                stage,
                network["dataset"],
                network["model"],
                batch=max(training["batch_size"] for training in trainings),
                passes=max(epochs),
                examples=10 * config["calibration"]["examples_per_class"],
                options=network["options"],
            )
            assert demands.memory(task) >= demands.BASE[stage]
            assert demands.minutes(task) >= 1
    assert len(seen) == len(config["networks"]) * len(config["seeds"][:3]) * len(
        config["compressions"][:3]
    ) * sum(len(entry["regimes"]) for entry in config["methods"].values())


def judge(config: Any) -> dict[str, Any] | None:
    """The completed configuration, which can be planned; None if it is refused in one line."""
    message, full = "", None
    try:
        full = complete(config)
    except UserError as error:
        message = str(error)
    if message:
        assert is_readable(message), ascii(message)
    else:
        plan(full)
    return full


def test_the_valid_one_is_valid() -> None:
    assert judge(copy.deepcopy(VALID))
    assert len(PLACES) > 100


@pytest.mark.parametrize("top", sorted({str(path[0]) for path in PLACES}))
def test_one_odd_value_anywhere(top: str) -> None:
    verdicts = []
    for path in PLACES:
        if path[0] != top:
            continue
        for odd in ODD:
            config = copy.deepcopy(VALID)
            inner_of(config, path[:-1])[path[-1]] = copy.deepcopy(odd)
            verdicts.append(judge(config))
        if isinstance(path[-1], str):
            # without the key: its default, or the line that says that it is missing
            config = copy.deepcopy(VALID)
            del inner_of(config, path[:-1])[path[-1]]
            verdicts.append(judge(config))
    assert not all(verdicts)


def test_an_odd_key_in_every_section() -> None:
    sections = [path for path in [(), *PLACES] if isinstance(inner_of(VALID, path), dict)]
    for odd in ODD:
        for path in sections if isinstance(odd, str | int | float | bytes | date | tuple) else ():
            config = copy.deepcopy(VALID)
            inner_of(config, path)[odd] = {}
            if judge(config):  # a method or a section
                assert odd in ("magnitude", "rgp", "finetune", "scratch")


KEYS = st.sampled_from(sorted({part for path in PLACES for part in path if isinstance(part, str)}))
SCALARS = st.one_of(
    # by their places, for not all of them can be shown
    st.integers(0, len(ODD) - 1).map(lambda place: ODD[place]),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=8),
    KEYS,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(), inner, max_size=3)
    ),
    max_leaves=5,
)
MUTATIONS = st.lists(
    st.tuples(st.sampled_from(PLACES), st.sampled_from(["set", "drop", "rename", "wrap", "swap"]),
              VALUES, st.sampled_from(PLACES)),
    min_size=1,
    max_size=4,
)  # fmt: skip


def mutate(config: Any, path: Place, kind: str, value: Any, other: Place) -> None:
    """Change ``config`` at ``path``, where that is still there."""
    try:
        parent, last = inner_of(config, path[:-1]), path[-1]
        old = parent[last]
        if kind == "drop":
            del parent[last]
        elif kind == "rename" and isinstance(parent, dict):
            parent[value if isinstance(value, str | int | float) else "x"] = parent.pop(last)
        elif kind == "wrap":
            parent[last] = [old]
        elif kind == "swap":
            parent[last] = copy.deepcopy(inner_of(config, other))
        else:
            parent[last] = copy.deepcopy(value)
    except (KeyError, IndexError, TypeError):
        return


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(MUTATIONS)
def test_mutated_configurations(mutations: list[tuple[Place, str, Any, Place]]) -> None:
    config = copy.deepcopy(VALID)
    for mutation in mutations:
        mutate(config, *mutation)
    judge(config)


def test_a_configuration_is_keys_and_values() -> None:
    for odd in ODD:
        if not isinstance(odd, dict):
            assert not judge(odd)


def test_a_plugin_that_is_a_folder_or_missing(tmp_path: Path) -> None:
    for path in (str(tmp_path), "none.py", "", "/", "\0", "\ud800", "a" * 5000):
        assert not judge({**FULL, "plugins": [path]})
