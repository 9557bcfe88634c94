"""Plug-ins: what a file or an installed package adds is there under its name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest
import torch
from plugin_examples import ATTRIBUTES, DATASET, METHOD, NETWORK, added, method, refusal
from torch import nn

import graphprune
from graphprune import data, models, plugins
from graphprune.configuration.complete import complete
from graphprune.errors import UserError
from graphprune.methods.catalog import METHODS, build, classes, method_class
from graphprune.models.catalog import MODELS, check_fit
from graphprune.plugins import file_of, load_plugin, load_plugins

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with plugins.only_plugins([]):
        yield


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str, name: str = "plugin.py") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return written


def test_a_method_is_run_by_its_name(write: Write) -> None:
    model = nn.Linear(3, 2)
    with pytest.raises(UserError, match="method is 'mine'; allowed: curvature"):
        graphprune.score(model, "mine")
    graphprune.load_plugin(write(METHOD))
    scores = graphprune.score(model, "mine", power=2.0)
    torch.testing.assert_close(scores, {"weight": model.weight.detach() ** 2})
    with pytest.raises(UserError, match="method mine: power is 0; allowed: > 0"):
        graphprune.score(model, "mine", power=0)
    assert [cls.name for cls in classes()][-1] == "mine"


def test_one_file_may_define_several_of_each_kind(write: Write) -> None:
    second = METHOD.replace("Mine", "Other").replace('"mine"', '"other"')
    load_plugin(write(METHOD + NETWORK + DATASET + second))
    assert added() == {"mine", "other", "line", "blobs"}
    network = models.build("line", (1, 4, 4), 2)
    loaded = data.load("blobs")
    assert network(loaded.train.images).shape == (18, 2)


def test_a_configuration_names_the_plugins(write: Write, tmp_path: Path) -> None:
    path = write(METHOD + NETWORK + DATASET)
    config = {
        "plugins": ["plugin.py"],
        "networks": [{"dataset": "blobs", "model": "line"}],
        "seeds": [0],
        "compressions": [2],
        "methods": {"mine": {"power": 2.0}, "again": {"method": "mine"}},
    }
    full = complete(config, tmp_path)
    assert full["plugins"] == [str(path)]
    assert full["methods"]["mine"]["power"] == 2.0
    assert full["methods"]["again"]["power"] == 1.0
    for methods, sentence in (
        ({"mine": {"power": 0}}, r"methods\.mine\.power is 0; allowed: > 0"),
        ({"mine": {"pwer": 1}}, r"methods\.mine\.pwer is 1; allowed keys here: method, power, "),
        ({"mine": {"method": "random"}}, "mine is a method itself"),
    ):
        with pytest.raises(UserError, match=f"^config: .*{sentence}"):
            complete({**config, "methods": methods}, tmp_path)
    # the network has 16 * 2 weights
    with pytest.raises(UserError, match=r"compressions\[0\] is 65, which leaves none of the 32 "):
        complete({**config, "compressions": [65]}, tmp_path)


def test_a_plugin_is_looked_for_beside_the_configuration_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {
        "plugins": ["here.py"],
        "networks": [{"dataset": "digits", "model": "mlp"}],
        "seeds": [0],
        "compressions": [2],
        "methods": {"mine": {}},
    }
    beside, working = tmp_path / "beside", tmp_path / "working"
    for folder in (beside, working):
        folder.mkdir()
    monkeypatch.chdir(working)
    with pytest.raises(UserError, match=r"^config: plugins: 'here\.py': no such file in .*beside "):
        complete(config, beside)
    (working / "here.py").write_text(METHOD)
    assert complete(config, beside)["plugins"] == ["here.py"]
    plugins._forget(str(working / "here.py"))
    (beside / "here.py").write_text(METHOD)
    assert complete(config, beside)["plugins"] == [str(beside / "here.py")]


def test_helpers_of_a_plugin_are_no_methods(write: Write) -> None:
    """Classes with an underscore, imported ones, and properties of a class are left alone."""
    extra = """
from functools import cached_property
from graphprune.methods.magnitude import Magnitude

class _Base(graphprune.Method):
    pass

@dataclass(frozen=True)
class Derived(Magnitude):
    name: ClassVar[str] = "derived"

    @property
    def half(self): return 0.5

    @cached_property
    def third(self): return 0.3

    @staticmethod
    def fourth(): return 0.25
"""
    load_plugin(write(METHOD + extra))
    assert added() == {"mine", "derived"}
    assert method_class("derived").paper == method_class("magnitude").paper


def test_loading_twice_is_one_load(write: Write) -> None:
    path = write("counted = globals().get('counted', 0) + 1\n" + METHOD)
    first = load_plugin(path)
    assert load_plugin(path) is first
    assert load_plugin(path.parent / ".." / path.parent.name / path.name) is first
    load_plugins([path, path])
    assert (added(), first.counted) == ({"mine"}, 1)


def test_a_changed_file_replaces_what_it_had_added(write: Write) -> None:
    load_plugin(write(METHOD + NETWORK))
    assert added() == {"mine", "line"}
    # as long as before, and within the same second
    load_plugin(write(METHOD.replace('"mine"', '"mind"') + NETWORK))
    assert added() == {"mind", "line"}
    load_plugin(write(METHOD.replace("= 1.0", "= 2.0")))
    assert added() == {"mine"}
    assert build("mine") == build("mine", power=2.0)


def test_a_change_that_fails_leaves_nothing_of_the_file(write: Write) -> None:
    path = write(METHOD + NETWORK)
    load_plugin(path)
    write(METHOD + "raise ValueError('now it fails')\n")
    with pytest.raises(UserError, match="now it fails"):
        load_plugin(path)
    assert added() == set()
    write(METHOD)
    load_plugin(path)
    assert added() == {"mine"}


def test_a_file_that_fails_takes_nothing_from_others(write: Write) -> None:
    load_plugin(write(METHOD))
    message = refusal(write(NETWORK + METHOD, "second.py"))
    assert "second.py: method mine is already defined by " in message
    assert message.endswith("plugin.py")
    assert "line" not in MODELS
    assert graphprune.score(nn.Linear(2, 2), "mine").keys() == {"weight"}


def test_two_files_may_define_their_own(write: Write) -> None:
    first = write(METHOD)
    second = write(METHOD.replace('"mine"', '"other"'), "second.py")
    load_plugins([first, second])
    assert added() == {"mine", "other"}
    assert (file_of(METHODS, "mine"), file_of(METHODS, "other")) == (first, second)
    assert METHODS.source("mine") == str(first)
    assert METHODS.source("random") is None
    assert file_of(METHODS, "random") is None


def test_files_of_one_name_in_two_folders(write: Write, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    load_plugin(write(METHOD))
    load_plugin(write(METHOD.replace('"mine"', '"other"'), "below/plugin.py"))
    assert added() == {"mine", "other"}


def test_only_some_plugins_for_a_while(write: Write) -> None:
    load_plugin(write(METHOD))
    other = write(METHOD.replace('"mine"', '"other"'), "second.py")
    with plugins.only_plugins([other]):
        assert added() == {"other"}
    assert added() == {"mine"}
    # also where the block fails, or a file of it
    with pytest.raises(UserError), plugins.only_plugins([other.with_name("none.py")]):
        pass
    assert added() == {"mine"}


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Pretends that modules of these texts come with an installed package."""

    def installed(**texts: str) -> None:
        monkeypatch.syspath_prepend(str(tmp_path))
        entries = []
        for name, text in texts.items():
            (tmp_path / f"{name}.py").write_text(text)
            monkeypatch.delitem(sys.modules, name, raising=False)
            entries.append(EntryPoint(f"entry_of_{name}", name, plugins.GROUP))

        def entry_points(group: str) -> list[EntryPoint]:
            assert group == "graphprune.plugins"
            return entries

        monkeypatch.setattr(plugins, "entry_points", entry_points)
        monkeypatch.setattr(plugins, "_installed_are_loaded", False)

    return installed


def test_installed_packages_add_by_their_entry_points(install: Callable[..., None]) -> None:
    install(lab_of_one=METHOD + DATASET, lab_of_two=NETWORK)
    # nobody has to load them
    assert graphprune.score(nn.Linear(2, 2), "mine").keys() == {"weight"}
    check_fit("line", data.describe("blobs").input_shape)
    assert added() == {"mine", "line", "blobs"}
    assert Path(METHODS.source("mine") or "").name == "lab_of_one.py"
    # the package's environment makes it, no file of the run
    assert file_of(METHODS, "mine") is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("raise SystemExit('no')\n", "SystemExit: no"),
        (method(ATTRIBUTES, run=False), "Mine: has no method run"),
        (METHOD.replace('"mine"', '"random"'), "method random is already defined by graphprune"),
    ],
)
def test_an_installed_package_that_does_not_load_is_named(
    install: Callable[..., None], text: str, sentence: str
) -> None:
    install(broken_lab=text)
    for _ in range(2):  # it is not forgotten
        with pytest.raises(UserError) as caught:
            list(METHODS)
        assert sentence in str(caught.value)
        assert "broken_lab" in str(caught.value)
        assert str(caught.value).isprintable()


def test_an_entry_point_must_be_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("odd", "pathlib:Path", plugins.GROUP)
    monkeypatch.setattr(plugins, "entry_points", lambda **_: [entry])
    monkeypatch.setattr(plugins, "_installed_are_loaded", False)
    with pytest.raises(UserError, match=r"plug-in odd \(pathlib:Path\): TypeError: .* no module"):
        list(METHODS)


def test_an_entry_in_a_notebook_may_be_defined_again() -> None:
    module = ModuleType("__main__")
    exec(compile(NETWORK, "cell", "exec"), module.__dict__)
    exec(compile(NETWORK, "cell", "exec"), module.__dict__)
    assert MODELS.source("line") == "__main__"
