"""Configurations of which a good part can run, and one odd value in some of the others."""

from __future__ import annotations

import copy
import random
from typing import Any

from configuration.test_hostile import ODD, inner_of, places
from fuzz.artifacts import ROOT
from hypothesis import strategies as st

SEEDS = st.sampled_from([0, 1, 2, 7, 2**31, 2**32 - 1])
RATIOS = st.sampled_from(
    [1, 2.0, 2, 2.5, 3.7, 8, 16.0, 1.0000001, 3.3333333333, 100, 1e3, 1234.5678]
)
LABELS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
# a list of its own each time: one that is spoilt would stay so
REGIMES = st.sampled_from([("finetune",), ("scratch",), ("scratch", "finetune")]).map(list)
METHODS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "magnitude": st.fixed_dictionaries(
        {}, optional={"scope": st.sampled_from(["global", "layer"])}
    ),
    "random": st.fixed_dictionaries({}, optional={"scope": st.sampled_from(["global", "layer"])}),
    "curvature": st.fixed_dictionaries(
        {}, optional={"alpha": st.sampled_from([0, 0.5, 0.9]), "fold_batchnorm": st.booleans()}
    ),
    "rgp": st.fixed_dictionaries({}, optional={"nodes": st.sampled_from([4, 8, 64])}),
    "probmask": st.fixed_dictionaries(
        {}, optional={"epochs": st.integers(1, 3), "continued": st.booleans()}
    ),
    "snip": st.fixed_dictionaries({}, optional={"batch_size": st.sampled_from([1, 64, 100])}),
}
PLUGINS = {name: str(ROOT / f"examples/{name}.py") for name in ("method", "network", "dataset")}


def training(
    epochs: st.SearchStrategy[int], small: bool = False
) -> st.SearchStrategy[dict[str, Any]]:
    """A section of a training. small: such that a network of one epoch has learnt something."""
    needed = {"epochs": epochs}
    more = {
        "batch_size": st.sampled_from([16, 32] if small else [1, 32, 64, 1000]),
        "learning_rate": st.sampled_from([0.05, 0.1] if small else [0.01, 0.1, 1, 1e-300]),
        "schedule": st.sampled_from(["constant", "cosine"]),
    }
    if not small:
        more["schedule"] = st.sampled_from(["constant", "cosine", "step", "multistep"])
        more |= {key: st.booleans() for key in ("nesterov", "decay_norms_and_biases", "compile")}
        more |= {key: st.sampled_from([0.0, 0.5, 0.999]) for key in ("ema", "label_smoothing")}
        more["precision"] = st.sampled_from(["float32", "bfloat16", "float16"])
        more["clip_norm"] = st.sampled_from([None, 1e-9, 5])
        more["accumulate"] = st.sampled_from([1, 2, 2**31])
        attack = {"epsilon": 0.1, "step": 0.1, "steps": 1000}
        more["adversarial"] = st.sampled_from([None, attack])
    if small:
        needed |= {key: more.pop(key) for key in ("batch_size", "learning_rate")}
    return st.fixed_dictionaries(needed, optional=more)


@st.composite
def networks(draw: st.DrawFn, small: bool) -> list[dict[str, Any]]:
    """One network to three, with names where one model stands twice."""
    kinds = [("digits", "mlp")]
    if not small:
        kinds += [("mnist5k", "lenet5"), ("mnist5k", "mlp"), ("digits", "mlp5")]
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=1 if small else 3))
    drawn = []
    for number, (dataset, model) in enumerate(chosen):
        one: dict[str, Any] = {"dataset": dataset, "model": model}
        if number or draw(st.booleans()):
            one["name"] = draw(LABELS)
        if model == "mlp" and (small or draw(st.booleans())):
            one["options"] = {"hidden": draw(st.lists(st.integers(48, 64), min_size=1, max_size=2))}
        if not small and draw(st.booleans()):
            one["train"] = draw(training(st.integers(0, 3)))
        drawn.append(one)
    return drawn


@st.composite
def methods(draw: st.DrawFn, small: bool) -> dict[str, dict[str, Any]]:
    """Entries under their own names, and under labels."""
    drawn = {}
    for name in draw(st.lists(st.sampled_from(sorted(METHODS)), min_size=1, max_size=3)):
        entry = draw(METHODS[name])
        if small and name == "rgp":
            entry["nodes"] = 4
        label = name if draw(st.booleans()) else draw(LABELS)
        if label != name:
            entry["method"] = name
        if draw(st.integers(0, 3)) == 0:
            entry["regimes"] = draw(REGIMES)
        drawn[label] = entry
    return drawn


@st.composite
def configurations(
    draw: st.DrawFn, small: bool = False, plugins: bool = False, spoilt: bool = True
) -> dict[str, Any]:
    """A configuration. small: it runs in a minute. spoilt: in two of five a value is odd."""
    epochs = st.just(1) if small else st.integers(0, 3)
    ratios = draw(st.lists(RATIOS, min_size=1, max_size=2 if small else 4, unique=True))
    config = {
        "results": draw(st.sampled_from(["results", "out/deep/er", "a b", "x.y", "./out/", "é"])),
        "experiment": draw(st.sampled_from(["tiny", "two words", "é", "a/b", "x" * 200])),
        "networks": draw(networks(small)),
        "seeds": draw(st.lists(SEEDS, min_size=1, max_size=2, unique=True)),
        "compressions": sorted({min(ratio, 50) for ratio in ratios}) if small else ratios,
        "train": draw(training(epochs, small)),
        "finetune": draw(training(epochs, small)),
        "methods": draw(methods(small)),
    }
    more: dict[str, st.SearchStrategy[Any]] = {
        "keep_scores": st.booleans(),
        "compressions_per_job": st.integers(1, 5),
        "regimes": REGIMES,
        "scratch": st.fixed_dictionaries({"rescale": st.booleans()}),
        "calibration": st.fixed_dictionaries(
            {"parts": st.sampled_from([1, 2, 3, 11]), "examples_per_class": st.sampled_from([1, 2])}
        ),
        "latency": st.fixed_dictionaries({"repeats": st.sampled_from([1, 2, 5])}),
        "graph": st.fixed_dictionaries({"max_edges": st.sampled_from([0, 100, 10**6])}),
        "tracking": st.fixed_dictionaries({"models": st.sampled_from(["all", "dense", "none"])}),
    }
    config |= draw(st.fixed_dictionaries({}, optional=more))
    if small and "calibration" in config:
        config["calibration"]["examples_per_class"] = 1
    if plugins and draw(st.booleans()):
        add_plugin(config, draw(st.sampled_from(sorted(PLUGINS))))
    # hypothesis itself likes the first and the last of everything
    number = random.Random(draw(st.integers(0, 2**32)))
    if spoilt and number.random() < 0.4:
        spoil(config, number)
    return config


def add_plugin(config: dict[str, Any], name: str) -> None:
    """Let ``config`` use the example of a plug-in."""
    config["plugins"] = [PLUGINS[name]]
    if name == "method":
        config["methods"]["active_inputs"] = {}
    elif name == "network":
        config["networks"].append({"dataset": "digits", "model": "small_cnn"})
    else:
        config["networks"].append({"dataset": "photo_tiles", "model": "mlp"})


def spoil(config: dict[str, Any], number: random.Random) -> None:
    """Put an odd value somewhere."""
    *above, last = number.choice(list(places(config)))
    inner_of(config, tuple(above))[last] = copy.deepcopy(number.choice(ODD))
