"""The rules by which the house is built: who imports whom, what stands where, how long it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest

from graphprune.methods import METHODS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "graphprune"
MODULES = sorted(PACKAGE.rglob("*.py"))
RULES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, also inside its functions; types alone are left out."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module: str) -> str:
    """The folder, or the loose module, that a module of the package belongs to."""
    return ".".join(module.split(".")[:2])


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_imports_have_no_circle() -> None:
    graph = nx.DiGraph()
    for path in MODULES:
        for target in imports(path):
            ends = room(name_of(path)), room(target)
            inside = target.startswith("graphprune.") and (
                (PACKAGE / ends[1].split(".")[1]).is_dir()
                or (PACKAGE / f"{ends[1].split('.')[1]}.py").exists()
            )
            if inside and ends[0] != ends[1] and ends[0] != "graphprune":
                graph.add_edge(*ends)
    assert len(graph) > 15
    assert list(nx.simple_cycles(graph)) == []


def test_only_tracking_knows_mlflow_and_nothing_knows_snakemake() -> None:
    for path in MODULES:
        tops = {target.split(".")[0] for target in imports(path)}
        assert "snakemake" not in tops, path
        if "tracking" not in path.parts:
            assert "mlflow" not in tops, path


PICKLES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
PROGRAMS = [
    path for folder in ("graphprune", "workflow", "benchmarks", "examples")
    for path in sorted((ROOT / folder).rglob("*.py"))
]  # fmt: skip


def unpickles(call: ast.Call) -> bool:
    """Whether a call may run what a file holds: a loader of pickles that was not told not to."""
    name = ast.unparse(call.func)
    told = {word.arg: ast.unparse(word.value) for word in call.keywords}
    return (
        name.endswith("read_pickle")
        or told.get("allow_pickle", "False") != "False"
        or (name == "torch.load" and told.get("weights_only") != "True")
    )


def test_nothing_unpickles() -> None:
    """Who reads a pickle runs it; torchvision reads CIFAR's, whose digests are checked before."""
    assert len(PROGRAMS) > 180
    for path in PROGRAMS:
        assert not PICKLES & {target.split(".")[0] for target in imports(path)}, path
        calls = [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
        ]
        assert not [ast.unparse(call) for call in calls if unpickles(call)], path


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("torch.load(path)", True),
        ("torch.load(path, weights_only=False)", True),
        ("torch.load(path, weights_only=True)", False),
        ("np.load(path, allow_pickle=True)", True),
        ("np.load(path, allow_pickle=allowed)", True),
        ("np.load(path, allow_pickle=False)", False),
        ("np.load(path)", False),
        ("pd.read_pickle(path)", True),
    ],
)
def test_what_unpickles_is_recognised(call: str, expected: bool) -> None:
    (statement,) = ast.parse(call).body
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Call)
    assert unpickles(statement.value) == expected


def test_at_most_14_modules_stand_loose() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 14


@pytest.mark.parametrize("path", [*MODULES, *RULES], ids=lambda path: path.name)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 400


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_rules_are_short(path: Path) -> None:
    lines = path.read_text().splitlines()
    starts = [
        number
        for number, line in enumerate(lines)
        if re.match(r" *(use rule|rule|checkpoint)\b.*:$", line)
    ]
    for start in starts:
        depth = len(lines[start]) - len(lines[start].lstrip())
        body = 1
        for line in lines[start + 1 :]:
            if line.strip() and len(line) - len(line.lstrip()) <= depth:
                break
            body += bool(line.strip())
        assert body < 25, (path.name, lines[start], body)


@pytest.mark.parametrize("name", ["common", "functions", "params", "resources"])
def test_shared_rule_files_name_no_method(name: str) -> None:
    text = (ROOT / "workflow" / "rules" / f"{name}.smk").read_text()
    for method in METHODS.builtin():
        assert not re.search(rf"\b{method}\b", text), method


def test_every_folder_has_a_folder_of_tests() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders <= {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
