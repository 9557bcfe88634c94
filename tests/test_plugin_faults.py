"""What is wrong with a plug-in is said in one line, when it is loaded; nothing of it is left."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from plugin_examples import ATTRIBUTES, DATASET, HEAD, METHOD, NETWORK, added, method, refusal

from graphprune.plugins import load_plugin, only_plugins


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with only_plugins([]):
        yield


def write(text: str, folder: Path) -> Path:
    path = folder / "plugin.py"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("def (:\n", "line 1: SyntaxError: invalid syntax"),
        ("x = 1\n\nx = '\n", "line 3: SyntaxError: unterminated string literal"),
        ("x = 1\x00", "null bytes"),
        ("x = 1\nraise ValueError('two\\nlines')\n", "line 2: ValueError: two lines"),
        ("def f():\n    1 / 0\n\nf()\n", "line 2: ZeroDivisionError: division by zero"),
        ("import sys\n\nsys.exit('no')\n", "line 3: SystemExit: no"),
        ("raise SystemExit\n", "line 1: SystemExit"),
        (
            "import no_such_module\n",
            "line 1: ModuleNotFoundError: No module named",
        ),
        ("raise ValueError('x' * 10**5)\n", "line 1: ValueError: xxx"),
        ("import graphprune\ngraphprune.prune({}, 0.5)\n", "line 2: UserError: scores are empty"),
        ("def f():\n    f()\nf()\n", "RecursionError: maximum recursion depth exceeded"),
    ],
)
def test_a_file_that_does_not_run(tmp_path: Path, text: str, sentence: str) -> None:
    path = write(text, tmp_path)
    message = refusal(path)
    assert message.startswith(f"plug-in {path}: ")
    assert sentence in message


def test_an_interrupt_is_no_fault_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        load_plugin(write(METHOD + "\nraise KeyboardInterrupt\n", tmp_path))
    assert added() == set()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.py", tmp_path):
        assert refusal(path) == f"plug-in {path}: no such file"
    assert "File name too long" in refusal(tmp_path / ("x" * 300))


def test_text_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "latin.py"
    path.write_bytes(b"x = '\xe9'\n")
    assert "SyntaxError: (unicode error)" in refusal(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (method(ATTRIBUTES, run=False), "has no method run"),
        (method(ATTRIBUTES, "@dataclass"), "cannot inherit non-frozen dataclass from a frozen"),
        (method(ATTRIBUTES, ""), "is no dataclass; write @dataclass(frozen=True)"),
        (method(""), "class attribute name is missing; it is a text"),
        (method('    name: ClassVar[str] = "mine"\n'), "class attribute paper is missing"),
        (method(ATTRIBUTES + "    per_sparsty = True\n"),
         "class attribute per_sparsty is unknown; allowed: colour, decides_mask"),
        (method(ATTRIBUTES + "    seeded: ClassVar[bool] = True\n"),
         "class attribute seeded is True, but there is no field seed"),
        (method(ATTRIBUTES + "    per_sparsity: ClassVar[bool] = True\n"),
         "class attribute per_sparsity is True, but there is no field sparsity"),
        (method(ATTRIBUTES + "    sparsity: float = 0.5\n"),
         "field sparsity is there, but class attribute per_sparsity is False"),
        (method(ATTRIBUTES + "    seeded: ClassVar[int] = 1\n"),
         "class attribute seeded is 1; allowed: a bool"),
        (method(ATTRIBUTES + '    examples: ClassVar[str] = "some"\n'),
         "class attribute examples is 'some'; allowed: calibration, none, training"),
        (method(ATTRIBUTES + '    figures: ClassVar[tuple[str, ...]] = ("cost",)\n'),
         "class attribute figures is 'cost'; allowed: probabilities, regular_graph, removal"),
        (method(ATTRIBUTES + '    figures: ClassVar[str] = "removal_curves"\n'),
         "class attribute figures is 'removal_curves'; allowed: a tuple"),
        (method(ATTRIBUTES + '    graph_options: ClassVar[tuple[str, ...]] = ("alpha",)\n'),
         "class attribute graph_options names 'alpha'; allowed: fields of the method out of alpha"),
        (method(ATTRIBUTES + "    power: float = field()\n"),
         "field power has no default; every option has one"),
        (method(ATTRIBUTES + '    scope: str = "global"\n'),
         "field scope is called like a key that every method has"),
        (method('    name: str = "mine"\n    paper: ClassVar[str] = "p"\n'),
         "name is a class attribute; annotate it with ClassVar"),
        (method(ATTRIBUTES + "    power: torch.Tensor = None\n"),
         "the type of a field cannot be checked: "),
        (method(ATTRIBUTES + '    power: "NoSuchThing" = None\n'),
         "the type of a field cannot be checked: name 'NoSuchThing' is not defined"),
        (method(ATTRIBUTES.replace('"mine"', "3")), "class attribute name is missing; it is a"),
        (method(ATTRIBUTES.replace("mine", "My method")), "method name is 'My method'; allowed:"),
        (method(ATTRIBUTES.replace("mine", "m" * 500)), "method name is 'mmm"),
        (method(ATTRIBUTES.replace("mine", "dense")), "method name is 'dense'; allowed:"),
        (method(ATTRIBUTES.replace("mine", "random")),
         "method random is already defined by graphprune itself"),
        (METHOD + METHOD.replace("Mine", "Other"), "method mine is defined twice"),
        (NETWORK.replace('"line"', '"mlp"'), "model mlp is already defined by graphprune itself"),
        (NETWORK.replace('"line"', "5"), "model name is 5; allowed: at most 60 lower case"),
        (NETWORK.replace("num_classes):", "classes, *, width):"),
         "model line: its builder cannot be called with (input_shape, num_classes): missing a req"),
        (NETWORK.replace(", num_classes):", "):"), "too many positional arguments"),
        (HEAD + 'graphprune.register_model("line")(3)\n', "its builder is 3; expected a function"),
        (DATASET.replace('"blobs"', '"mnist"'), "dataset mnist is already defined by graphprune"),
        (DATASET.replace('"blobs"', '"rgp_aspl"'), "dataset name is 'rgp_aspl'; allowed:"),
        (DATASET.replace("load(folder)", "load()"), "its function cannot be called with (folder)"),
        (DATASET.replace("(1, 4, 4), num", "(4, 4), num"), "input_shape is (4, 4); expected (chan"),
        (DATASET.replace("(1, 4, 4), num", "(1, 4, 0), num"), "input_shape is (1, 4, 0); expected"),
        (DATASET.replace("(1, 4, 4), num", "(1, 4, 4.0), num"), "input_shape is (1, 4, 4.0); exp"),
        (DATASET.replace("num_classes=2", "num_classes=1"), "num_classes is 1 with 1 names; allow"),
        (DATASET.replace("num_classes=2", "num_classes=2, classes=['a']"), "is 2 with 1 names"),
    ],
)  # fmt: skip
def test_what_a_plugin_may_not_define(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in refusal(write(text, tmp_path))


def test_a_fault_is_found_at_loading_however_little_is_imported(
    tmp_path: Path,
) -> None:
    path = write(method(ATTRIBUTES, run=False), tmp_path)
    code = (
        "import graphprune\n"
        f"try: graphprune.load_plugin({str(path)!r})\n"
        "except graphprune.UserError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("Mine: has no method run")
    assert not done.stderr
