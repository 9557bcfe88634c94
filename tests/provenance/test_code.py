"""Digests of code: what can alter a result counts, and nothing else."""

import importlib
import shutil
from types import SimpleNamespace

import pytest

from graphprune.configuration.complete import complete
from graphprune.provenance import code

READING = {"data", "train", "finetune", "evaluate"}


def forget():
    """As a new process knows nothing yet."""
    for cached in (code.digest_of, code.plain, code._imported, code._public_names):
        cached.cache_clear()


@pytest.fixture
def tree(root, tmp_path, monkeypatch):
    """A copy of the package and the scripts; a function that edits a file and gives new digests."""
    for part in ("graphprune", "workflow/scripts"):
        shutil.copytree(root / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "graphprune")

    def digests(file="", old="", new=""):
        if file:
            text = (tmp_path / file).read_text()
            assert old in text
            (tmp_path / file).write_text(text.replace(old, new, 1))
        forget()
        scripts = tmp_path / "workflow/scripts"
        methods = {
            name: code.digest_of(str(scripts / "score.py"), f"graphprune.methods.{name}")
            for name in ("magnitude", "random", "curvature")
        }
        stages = ("data", "train", "prune", "finetune", "evaluate")
        return methods | {name: code.digest_of(str(scripts / f"{name}.py")) for name in stages}

    yield digests
    forget()


def changed(before, after):
    return {name for name in before if before[name] != after[name]}


def test_a_method_s_code_counts_for_that_method_alone(tree):
    before = tree()
    after = tree("graphprune/methods/magnitude.py", ".abs()", ".abs().neg()")
    assert changed(before, after) == {"magnitude"}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("graphprune/training/loop.py", '"""Train ``model`` in place', '"""Train a model in place'),
        (
            "graphprune/training/loop.py",
            "    device =",
            "    # it's new\n\n    device =",
        ),
        ("graphprune/errors.py", "allowed: ", "please give: "),
        ("graphprune/figures/style.py", "import", "import os\nimport"),
        ("graphprune/methods/curvature.py", "from __future__", "# new\nfrom __future__"),
        (
            "graphprune/methods/magnitude.py",
            'paper: ClassVar[str] = "',
            'paper: ClassVar[str] = "x',
        ),
        (
            "graphprune/methods/catalog.py",
            '    "magnitude":',
            '    "mine": "a:b",\n    "magnitude":',
        ),
        ("workflow/scripts/train.py", '"""Train the dense', '"""Train a dense'),
        ("workflow/scripts/job.py", "started on", "began on"),
    ],
)
def test_what_cannot_alter_a_result_does_not_count(tree, file, old, new):
    before = tree()
    assert changed(before, tree(file, old, new)) == set()


@pytest.mark.parametrize(
    ("file", "old", "new", "stages"),
    [
        ("graphprune/training/schedule.py", "0.5 * (1.0", "0.4 * (1.0", {"train", "finetune"}),
        ("graphprune/training/regimes.py", "- epochs_trained", "- 0", {"finetune", "evaluate"}),
        ("graphprune/comparison/unit.py", "sparsity_of(masks)", "0.5", {"evaluate"}),
        ("workflow/scripts/finetune.py", "dataset.train,", "dataset.test,", {"finetune"}),
        # imported inside a function of a module that the script imports
        ("graphprune/data/splits.py", "import", "import os\nimport", READING),
    ],
)  # fmt: skip
def test_what_can_alter_a_result_counts_for_the_stages_that_use_it(tree, file, old, new, stages):
    before = tree()
    assert changed(before, tree(file, old, new)) == stages


def test_strings_stay_and_comments_go(tmp_path):
    file = tmp_path / "x.py"
    file.write_text("a = '#no'  # yes\nb = \"it's # no\" # yes\nc = '''\n# no\n'''\n")
    assert code.plain(file) == b"a = '#no'\nb = \"it's # no\"\nc = '''\n# no\n'''\n"


def test_the_whole_package_is_read(root):
    scripts = root / "workflow/scripts"
    reached = {
        code.place_of(path)
        for script in scripts.glob("*.py")
        for path in code.closure([str(script)], whole=True)
    }
    assert {"graphprune/tracking/store.py", "graphprune/figures/style.py"} <= reached


def test_plug_ins_of_one_name_give_one_digest_in_any_order(tmp_path, monkeypatch):
    files = [tmp_path / name / "mine.py" for name in "abcdefgh"]
    for number, file in enumerate(files):
        file.parent.mkdir()
        file.write_text(f"x = {number}\n")
    monkeypatch.setattr(code, "closure", lambda entries, _: list(entries))
    assert code.digest_of(*files) == code.digest_of(*reversed(files))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("MODELS = {'w': 64}", "MODELS = {'w': 65}"),
        ("BUILTIN = 3", "BUILTIN = 4"),
        ("class A:\n    marker = 0.5", "class A:\n    marker = 0.6"),
        ("class A:\n    title: float = f(1)", "class A:\n    title: float = f(2)"),
    ],
)
def test_a_plug_in_s_own_numbers_count(tmp_path, old, new):
    before, after = tmp_path / "before.py", tmp_path / "after.py"
    before.write_text(old + "\n")
    after.write_text(new + "\n")
    assert code.plain(before) != code.plain(after)


@pytest.mark.parametrize(
    "text",
    [
        "import graphprune\ngraphprune.score(m, 'random')",
        "import graphprune as g\ng.score",
        "from graphprune import score",
        "from graphprune.methods import scoring",
        "if not TYPE_CHECKING:\n    import graphprune.methods.scoring",
    ],
)
def test_public_names_are_followed_to_their_module(tmp_path, text):
    file = tmp_path / "mine.py"
    file.write_text(text + "\n")
    assert "graphprune/methods/scoring.py" in map(code.place_of, code.closure([str(file)]))


def test_what_a_stage_takes_from_a_package_by_attribute_counts(root):
    reached = code.closure([str(root / "workflow/scripts/graph.py")])
    assert "graphprune/neural_graph/vertex_values.py" in map(code.place_of, reached)


def test_the_curves_of_removal_count_the_methods_that_they_show(root):
    reached = set(map(code.place_of, code.closure([str(root / "workflow/scripts/removal.py")])))
    assert {f"graphprune/methods/{name}.py" for name in ("magnitude", "random")} <= reached


def test_all_modules_of_an_installed_plug_in_count(tmp_path):
    package = tmp_path / "their"
    (package / "deep").mkdir(parents=True)
    for place in (package, package / "deep"):
        (place / "__init__.py").touch()
    (package / "helper.py").write_text("x = 1\n")
    entry = package / "deep" / "method.py"
    entry.touch()
    assert set(code.closure([str(entry)])) == set(package.rglob("*.py"))


@pytest.mark.usefixtures("tree")
def test_a_job_says_by_which_code_it_started(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "workflow/scripts"))
    config = complete(
        {
            "networks": [{"dataset": "digits", "model": "mlp"}],
            "seeds": [0],
            "compressions": [2],
            "methods": {"random": {}},
        }
    )
    path = "results/data/digits.safetensors"
    facts = SimpleNamespace(config=config, input=[], output=[path], params={})
    job = importlib.import_module("job").Artifacts(facts)
    forget()
    job.fix_code()
    file = code.PACKAGE / "data" / "splits.py"
    file.write_text(file.read_text() + "\nEDITED = True\n")
    said = job.made(path)["code"]
    forget()
    assert said != job.__class__(facts).made(path)["code"]
