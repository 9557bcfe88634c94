"""Digests of code: what can alter a result counts, and nothing else."""

import shutil

import pytest

from graphprune.provenance import code

READING = {"data", "train", "finetune", "evaluate"}


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
        for cached in (code.digest_of, code.plain, code._imported):
            cached.cache_clear()
        scripts = tmp_path / "workflow/scripts"
        methods = {
            name: code.digest_of(str(scripts / "score.py"), f"graphprune.methods.{name}")
            for name in ("magnitude", "random", "curvature")
        }
        stages = ("data", "train", "prune", "finetune", "evaluate")
        return methods | {name: code.digest_of(str(scripts / f"{name}.py")) for name in stages}

    yield digests
    for cached in (code.digest_of, code.plain, code._imported):
        cached.cache_clear()


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
        ("graphprune/training/loop.py", "0.5 * (1.0", "0.4 * (1.0", {"train", "finetune"}),
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
