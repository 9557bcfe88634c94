"""The catalog of methods: what an entry says of a method is so, and each of them runs."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, get_origin, get_type_hints

import matplotlib.colors
import matplotlib.lines
import pytest
import torch
from torch import nn

from graphprune import load_plugin, prunable
from graphprune.curvature.exact import edge_curvatures
from graphprune.errors import UserError
from graphprune.methods import METHODS, Method, build, method_class
from graphprune.methods.base import SET_BY_WORKFLOW, Result
from graphprune.methods.catalog import (
    ATTRIBUTES,
    BUILTIN,
    FIGURES,
    GRAPH_OPTIONS,
    classes,
    faults,
    has_option,
    options_in_job,
)
from graphprune.methods.contract import run_checked
from graphprune.neural_graph import trace
from graphprune.plugins import only_plugins

ROOT = Path(__file__).resolve().parents[2]
NAMES = METHODS.builtin()
# what keeps a method that trains short
SHORT = {"epochs": 1, "batch_size": 8}
SPARSITIES = (0.5, 0.75)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32, 16),
        nn.ReLU(),
        nn.Linear(16, 4),
    )


def examples(kind: str) -> tuple[Any, Any]:
    """What the workflow gives a method whose entry asks for examples of this kind."""
    if kind == "none":
        return None, None
    count = {"calibration": 4, "training": 32}[kind]
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 1, 6, 6, generator=generator), torch.arange(count) % 4


def run(name: str, model: nn.Module | None = None, **options: Any) -> Result:
    """The method on the tiny network, with all that its entry in the catalog says it needs."""
    cls = method_class(name)
    if cls.per_sparsity:
        options.setdefault("sparsity", SPARSITIES[0])
    options = {key: value for key, value in SHORT.items() if has_option(cls, key)} | options
    method = build(name, **options)
    return run_checked(method, model or network(), *examples(cls.examples))


@pytest.mark.parametrize("name", NAMES)
def test_every_method_runs_with_what_its_entry_asks_for(name: str) -> None:
    model = network()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    # run_checked refuses what is not one score for each weight
    result = run(name, model)
    for key, weight in prunable(model).items():
        assert result.scores[key].shape == weight.shape
    after = model.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("name", [name for name in NAMES if method_class(name).examples != "none"])
def test_a_method_that_needs_examples_says_so(name: str) -> None:
    target = {"sparsity": 0.5} if method_class(name).per_sparsity else {}
    with pytest.raises(UserError, match=f"{name} .*inputs"):
        run_checked(build(name, **target), network())


@pytest.mark.parametrize("name", NAMES)
def test_a_method_depends_on_the_sparsity_if_it_says_so(name: str) -> None:
    assert has_option(method_class(name), "sparsity") == method_class(name).per_sparsity
    if method_class(name).per_sparsity:
        loose, tight = (run(name, sparsity=sparsity).scores for sparsity in SPARSITIES)
        assert any(not torch.equal(loose[key], tight[key]) for key in loose)


@pytest.mark.parametrize("name", NAMES)
def test_a_method_draws_random_numbers_if_it_says_so(name: str) -> None:
    assert has_option(method_class(name), "seed") == method_class(name).seeded
    first, again = run(name).scores, run(name).scores
    assert all(torch.equal(first[key], again[key]) for key in first)
    if method_class(name).seeded:
        # the regular graph of 16 nodes differs, or which nodes the channels are
        others = [run(name, seed=seed).scores for seed in (1, 2, 3)]
        assert any(not torch.equal(first[key], other[key]) for other in others for key in first)


@pytest.mark.parametrize("name", NAMES)
def test_a_method_decides_its_mask_if_it_says_so(name: str) -> None:
    scores = torch.cat([score.flatten() for score in run(name).scores.values()])
    binary = bool(((scores == 0) | (scores == 1)).all())
    assert binary == method_class(name).decides_mask


@pytest.mark.parametrize("name", NAMES)
def test_a_method_is_divisible_if_it_says_so(name: str) -> None:
    cls = method_class(name)
    target = {"sparsity": 0.5} if cls.per_sparsity else {}
    method, model = build(name, **target), network().eval()
    inputs, targets = examples("calibration")
    if not cls.divisible:
        with pytest.raises(UserError, match=f"{name} cannot score its examples in parts"):
            method.run_part(model, inputs, 0, 2, targets)
        with pytest.raises(UserError, match=f"{name} cannot join 0 parts"):
            method.gather([])
        return
    whole = method.run(model, inputs, targets).scores
    joined = method.gather([method.run_part(model, inputs, part, 3, targets) for part in range(3)])
    assert all(torch.equal(whole[key], joined.scores[key]) for key in whole)


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_is_complete(name: str) -> None:
    cls = method_class(name)
    assert cls.name == name
    assert cls.paper.startswith("arXiv ")
    assert cls.paper in (cls.__doc__ or "")
    assert cls.title
    assert faults(cls) == []
    assert all(field.default is not MISSING for field in fields(cls))
    assert BUILTIN[name] == f"{cls.__module__}:{cls.__name__}"
    assert cls.__module__ == f"graphprune.methods.{name}"


def test_figures_tell_the_methods_apart() -> None:
    colours = [matplotlib.colors.to_hex(method_class(name).colour) for name in NAMES]
    markers = [method_class(name).marker for name in NAMES]
    assert len(set(colours)) == len(set(markers)) == len(NAMES)
    assert set(markers) <= set(matplotlib.lines.Line2D.markers)


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_that_a_method_may_have_is_drawn_by_the_workflow(figure: str) -> None:
    assert any(figure in method_class(name).figures for name in NAMES)
    rules = (ROOT / "workflow" / "rules" / "figures.smk").read_text()
    assert f'with_figure("{figure}"' in rules


def test_the_workflow_asks_for_no_other_figure() -> None:
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        for asked in re.findall(r'with_figure\(\s*"(\w+)"', path.read_text()):
            assert asked in FIGURES


def test_options_of_the_graph_are_those_of_its_functions() -> None:
    taken = {**inspect.signature(edge_curvatures).parameters, **inspect.signature(trace).parameters}
    # a function takes the factors that the workflow's script makes of it
    assert taken["factors"].default is None
    taken["edge_length"] = inspect.Parameter(
        "edge_length", inspect.Parameter.KEYWORD_ONLY, default="weight"
    )
    assert set(GRAPH_OPTIONS) <= set(taken)
    for name in NAMES:
        cls = method_class(name)
        assert set(cls.graph_options) <= set(GRAPH_OPTIONS)
        given = {field.name: field.default for field in fields(cls)}
        for option in cls.graph_options:
            assert given[option] == taken[option].default


def test_the_attributes_that_are_known_are_those_of_the_class() -> None:
    hints = get_type_hints(Method)
    assert {name for name in hints if get_origin(hints[name]) is ClassVar} == set(ATTRIBUTES)
    for name in ATTRIBUTES:
        assert re.search(rf"\n    (\w+, )?{name}(, \w+)?: ", Method.__doc__ or ""), name


def test_fields_that_the_workflow_sets_are_not_described_as_keys() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert not any(f"\n| `{field}` |" in page.split("## An entry of `methods`")[1]
                   for field in SET_BY_WORKFLOW)  # fmt: skip


def test_knowing_all_methods_does_not_import_torch() -> None:
    code = (
        "import sys; from graphprune.methods.catalog import classes;"
        "assert len(list(classes())) >= 5;"
        "print([m for m in ('torch', 'numba', 'networkx', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_names_and_options_that_there_are_not() -> None:
    with pytest.raises(UserError, match=r"^method is 'magnitud'; allowed: curvature, magnitude, "):
        build("magnitud")
    with pytest.raises(UserError, match=r"^option of method random is 'sed'; allowed: seed$"):
        build("random", sed=1)
    with pytest.raises(UserError, match=r"^method random: seed is 1\.5; allowed: a value of type"):
        build("random", seed=1.5)
    with pytest.raises(UserError, match=r"^method random: seed is 4294967296; allowed: < 42949672"):
        build("random", seed=2**32)


def test_classes_come_in_the_order_of_the_figures(tmp_path: Path) -> None:
    assert [cls.name for cls in classes()][: len(NAMES)] == list(BUILTIN)
    path = tmp_path / "first.py"
    path.write_text(
        "from graphprune.methods.magnitude import Magnitude\n"
        "from dataclasses import dataclass\n"
        "@dataclass(frozen=True)\n"
        "class A(Magnitude):\n    name = 'a'\n"
    )
    with only_plugins([]):
        load_plugin(path)
        assert [cls.name for cls in classes()] == [*BUILTIN, "a"]


def test_a_method_has_faults_by_the_dozen() -> None:
    """All of them are listed, a sentence each, so that an author sees them at once."""

    class Odd(Method):
        examples = "few"  # type: ignore[assignment]
        seeded = True
        sparse = True

    wrong = faults(Odd)
    assert wrong[0] == "has no method run"
    assert sum("is missing; it is a text" in one for one in wrong) == 2
    assert "dataclass" in wrong[-1]
    frozen = faults(dataclass(frozen=True)(Odd))
    assert [one for one in frozen if "sparse is unknown" in one]
    assert [one for one in frozen if "examples is 'few'" in one]
    assert [one for one in frozen if "there is no field seed" in one]


@dataclass(frozen=True)
class Sound(Method):
    name: ClassVar[str] = "sound"
    paper: ClassVar[str] = "a test"

    def run(self, model: Any, inputs: Any = None, targets: Any = None) -> Result:
        return Result({})


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ({"colour": "blurple"}, "class attribute colour is 'blurple'; allowed: matplotlib's"),
        ({"marker": "?"}, "class attribute marker is '?'; allowed: matplotlib's markers"),
        ({"figures": ("regular_graph",)}, "figure regular_graph needs per_sparsity = True"),
        ({"divisible": True}, "divisible is True, but there is no run_part"),
        ({"run": lambda _self, _model: None}, "run cannot be called with (model, inputs, targets)"),
        ({"__annotations__": {"copy": int}, "copy": 1}, "field copy has a name that pydantic"),
        ({"__annotations__": {"_x": int}, "_x": 1}, "field _x has a name that pydantic keeps"),
        ({"__annotations__": {"x": int}, "x": "a"}, "x is 'a'; allowed: a value of type integer"),
    ],
)
def test_a_class_that_would_fail_in_a_job_is_refused(attributes: Any, sentence: str) -> None:
    assert faults(Sound) == []
    cls = dataclass(frozen=True)(type("Odd", (Sound,), attributes))
    assert any(sentence in fault for fault in faults(cls)), faults(cls)


def test_a_job_gives_a_method_what_it_has_a_field_for() -> None:
    assert options_in_job("magnitude", {}, seed=3, threads=2) == {}
    assert options_in_job("random", {}, seed=3, threads=2) == {"seed": 3}
    given = options_in_job("curvature", {"alpha": 0.5}, seed=3, threads=2)
    assert given == {"alpha": 0.5, "threads": 2}
