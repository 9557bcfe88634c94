"""One set of packages, said three times: pyproject.toml, the lock, the conda environment."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from importlib.metadata import distribution, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
CONDA_FILE = ROOT / "envs" / "graphprune.yaml"
# names on the Python index -> names in conda's channels
CONDA_NAMES = {"torch": "pytorch", "psycopg2-binary": "psycopg2"}
CONDA_ONLY = {"python", "graph-tool"}
# the caps that a distribution's build of graph-tool imposes, and conda-forge's does not
CAPPED = {"numpy"}


def requirements(entries: list[str]) -> dict[str, SpecifierSet]:
    parsed = [Requirement(entry) for entry in entries]
    return {canonicalize_name(one.name): one.specifier for one in parsed}


def lower_bounds(specifiers: SpecifierSet) -> set[str]:
    return {str(one) for one in specifiers if one.operator.startswith(">")}


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUNTIME = requirements(PROJECT["dependencies"])
DEVELOPMENT = requirements(PROJECT["optional-dependencies"]["dev"])
CONDA = requirements(
    [entry.replace(" ", "", 1) for entry in yaml.safe_load(CONDA_FILE.read_text())["dependencies"]]
)
LOCK = (ROOT / "envs" / "lock.txt").read_text()
# each package with its hashes, which pip writes as options
LOCKED = [
    entry.split("--hash=")
    for entry in re.sub(r"\s*\\\n\s*", " ", LOCK).splitlines()
    if entry[0] != "#"
]
TORCH = [line for line in (ROOT / "envs/torch.txt").read_text().splitlines() if line[0] != "#"]
PINNED = requirements([entry for entry, *_ in LOCKED] + TORCH)


def pinned(name: str) -> Version:
    (only,) = PINNED[name]
    assert only.operator == "=="
    return Version(only.version)


def test_conda_has_the_same_packages() -> None:
    expected = {CONDA_NAMES.get(name, name) for name in RUNTIME}
    assert set(CONDA) - CONDA_ONLY == expected
    assert set(CONDA) >= CONDA_ONLY


@pytest.mark.parametrize("name", RUNTIME)
def test_conda_allows_the_same_versions(name: str) -> None:
    conda, project = CONDA[CONDA_NAMES.get(name, name)], RUNTIME[name]
    if name in CAPPED:
        assert lower_bounds(conda) == lower_bounds(project)
        assert conda.contains(pinned(name))
    else:
        assert conda == project


def test_conda_has_the_same_python() -> None:
    assert CONDA["python"] == SpecifierSet(PROJECT["requires-python"])


@pytest.mark.parametrize("name", {**RUNTIME, **DEVELOPMENT})
def test_pinned_and_installed_versions_are_allowed(name: str) -> None:
    allowed = {**RUNTIME, **DEVELOPMENT}[name]
    assert allowed.contains(pinned(name))
    installed = Version(version(name))
    # in a conda environment numpy may be newer
    assert (CONDA[name] if name in CAPPED else allowed).contains(installed.public)


def test_the_lock_pins_no_build_and_no_place() -> None:
    """A build tag or an address would hold for one machine only."""
    for name, specifiers in PINNED.items():
        assert pinned(name).local is None, name
        assert len(specifiers) == 1
    for text in (LOCK, *TORCH):
        assert not re.search(r"://|@|--(?!hash=)[a-z]", text)


def test_all_but_torch_is_locked_by_hash() -> None:
    assert {Requirement(entry).name for entry in TORCH} == {"torch", "torchvision"}
    for entry, *hashes in LOCKED:
        assert hashes, entry
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one.strip()) for one in hashes), entry
    # what only torch's builds for CUDA need is theirs
    assert not [name for name in PINNED if re.match("nvidia|cuda|triton", name)]


def needs(name: str, extras: tuple[str, ...] = ("",)) -> set[str]:
    """The names of what an installed package needs here."""
    found = set()
    for entry in distribution(name).requires or []:
        one = Requirement(entry)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras):
            found.add(canonicalize_name(one.name))
    return found


def is_the_pinned(name: str) -> bool:
    return name in PINNED and Version(version(name)).public == str(pinned(name))


def test_the_lock_is_complete_for_the_installed_packages() -> None:
    """Else an installer that asks the lock for everything would leave something out."""
    reached, new = set(), {*RUNTIME, *DEVELOPMENT}
    while new:
        reached |= new
        # extras of dependencies (snakemake's) are not followed; those of torch are its builds'
        new = {other for name in new if is_the_pinned(name) for other in needs(name)} - reached
    missing = {name for name in reached - set(PINNED) if not re.match("nvidia|cuda|triton", name)}
    assert missing == set()


def test_the_project_is_built_with_what_is_locked() -> None:
    """envs/setup.sh builds it without isolation, so that the build is checked by hash as well."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]
    for name, specifier in requirements(build["requires"]).items():
        assert specifier.contains(pinned(name))


def test_setup_installs_from_the_lock_by_hash() -> None:
    script = (ROOT / "envs/setup.sh").read_text()
    installs = re.findall(r"^.*(?:--require-hashes).*$", script, re.MULTILINE)
    assert [line for line in installs if line.strip().endswith("-r envs/lock.txt")]
    # the installer itself, found in the lock by the script's own function
    function = re.search(r"^locked\(\) .*$", script, re.MULTILINE)
    assert function
    found = subprocess.check_output(
        ["bash", "-c", f"{function[0]}; locked uv"], cwd=ROOT, text=True
    )
    assert found.startswith("uv==")
    assert len(re.findall("^[a-z]", found, re.MULTILINE)) == 1
    assert "--hash=sha256:" in found


def test_setup_refuses_a_set_that_it_does_not_know() -> None:
    done = subprocess.run(
        ["envs/setup.sh", "latest"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "setup: no such set: latest; allowed: tested, oldest, newest\n"


def test_numpy_stays_below_2_for_the_distributions_graph_tool() -> None:
    assert not RUNTIME["numpy"].contains("2.0.0")


def rules(file: Path) -> dict[str, str]:
    """The body of every rule in a workflow file, those inside loops as well."""
    found: dict[str, str] = {}
    lines = file.read_text().splitlines()
    for number, line in enumerate(lines):
        header = re.match(r"( *)(?:rule|checkpoint)\b *(\w*) *:", line)
        if not header:
            continue
        depth = len(header[1])
        body = []
        for following in lines[number + 1 :]:
            if following.strip() and len(following) - len(following.lstrip()) <= depth:
                break
            body.append(following)
        found[header[2] or f"line {number + 1}"] = "\n".join(body)
    return found


WORKFLOW = sorted((ROOT / "workflow" / "rules").glob("*.smk"))


def test_workflow_files_are_found() -> None:
    names = {name for file in WORKFLOW for name in rules(file)}
    assert names >= {"data", "train", "activations", "compare"}


@pytest.mark.parametrize("file", WORKFLOW, ids=lambda file: file.stem)
def test_every_rule_that_makes_something_names_the_conda_environment(file: Path) -> None:
    for name, body in rules(file).items():
        if not re.search(r"^ *output *:", body, re.MULTILINE):
            continue
        named = re.search(r"^ *conda *:\s*\"([^\"]+)\"", body, re.MULTILINE)
        assert named, f"rule {name} in {file.name} names no conda environment"
        assert (file.parent / named[1]).resolve() == CONDA_FILE, f"rule {name} in {file.name}"


def test_make_lists_its_targets() -> None:
    # what a `make test` around this one was told is not meant for it
    told = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"}
    environment = {key: value for key, value in os.environ.items() if key not in told}
    listed = subprocess.check_output(
        ["make", "--no-print-directory"], cwd=ROOT, env=environment, text=True
    )
    for target in (
        *("setup", "lock", "demo", "recover", "test", "test-oldest", "test-newest"),
        *("lint", "ui", "clean", "help"),
    ):
        assert re.search(rf"^make {target} +\w", listed, re.MULTILINE)
