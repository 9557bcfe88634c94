"""Mutation testing: break the code in one place at a time and see whether the tests notice.

``make test-mutation`` runs mutmut over the areas below, ``AREAS="masks training"`` over some.
An area names the files that are broken and the tests that have to notice; tests elsewhere may
notice too, but a module's own tests are what is measured. Everything happens in a copy, in
``build/mutation/<area>``; what survives is printed and kept there in ``survivors.txt``.

An area whose copy is there already goes on: only what is new or has survived is tried again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "mutation"


class Area(NamedTuple):
    """Files to break, and the tests that have to notice, both below the root."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


AREAS = {
    "masks": Area(("graphprune/masks.py",), ("tests/test_masks.py",)),
    "training": Area(
        tuple(
            f"graphprune/training/{name}.py"
            for name in ("loop", "optimizers", "settings", "live", "devices")
        ),
        ("tests/training",),
    ),
    "evaluation": Area(
        ("graphprune/training/evaluation.py",), ("tests/training/test_evaluation.py",)
    ),
    "regimes": Area(("graphprune/training/regimes.py",), ("tests/training/test_regimes.py",)),
    "statistics": Area(("graphprune/statistics.py",), ("tests/test_statistics.py",)),
    "comparison": Area(
        ("graphprune/comparison/tables.py", "graphprune/comparison/relative_cost.py"),
        ("tests/comparison/test_tables.py", "tests/comparison/test_relative_cost.py"),
    ),
    "unit": Area(("graphprune/comparison/unit.py",), ("tests/comparison",)),
    "removal": Area(("graphprune/comparison/removal.py",), ("tests/comparison/test_removal.py",)),
    "results": Area(("graphprune/methods/results.py",), ("tests/methods",)),
    "activations": Area(
        ("graphprune/neural_graph/calibration.py",), ("tests/neural_graph/test_calibration.py",)
    ),
    "compaction": Area(
        ("graphprune/compaction/cost.py", "graphprune/compaction/measure.py"),
        ("tests/compaction/test_cost.py", "tests/compaction/test_measure.py"),
    ),
    "figures": Area(("graphprune/figures/accuracy.py",), ("tests/figures/test_accuracy.py",)),
    "probmask": Area(
        tuple(f"graphprune/probmask/{name}.py" for name in ("final", "schedule", "passes")),
        tuple(f"tests/probmask/test_{name}.py" for name in ("final", "schedule", "passes")),
    ),
    "configuration": Area(
        tuple(
            f"graphprune/configuration/{name}.py"
            for name in ("complete", "plan", "reading", "folders")
        ),
        tuple(
            f"tests/configuration/test_{name}.py"
            for name in ("complete", "plan", "reading", "folders")
        ),
    ),
    "options": Area(("graphprune/options.py",), ("tests/test_options.py",)),
    "records": Area(("graphprune/tracking/records.py",), ("tests/tracking/test_records.py",)),
}


def mutate_decorated_functions() -> None:
    """Let mutmut break decorated functions as well, which it leaves out.

    Its switch between the variants of a function is itself a decorator, and goes under the others.
    """
    import libcst
    from mutmut.mutation import file_mutation

    visitor = file_mutation.MutationVisitor
    skip, arrange = visitor._skip_node_and_children, file_mutation.function_trampoline_arrangement

    def skip_fewer(self: Any, node: libcst.CSTNode) -> bool:
        if isinstance(node, libcst.FunctionDef) and node.decorators:
            return False
        return bool(skip(self, node))

    def arrange_bare(function: libcst.FunctionDef, *others: Any, **named: Any) -> Any:
        first, (switch, *variants), *rest = arrange(function, *others, **named)
        names = {libcst.Module([]).code_for_node(d.decorator) for d in function.decorators}
        if not names & {"staticmethod", "classmethod"}:
            variants = [variant.with_changes(decorators=()) for variant in variants]
        return first, [switch, *variants], *rest

    visitor._skip_node_and_children = skip_fewer
    file_mutation.function_trampoline_arrangement = arrange_bare


# "not checked": of a run that was interrupted
UNNOTICED = ("survived", "no tests", "not checked")
OPPOSITES = {"max": "min", "amax": "amin", "argmax": "argmin", "any": "all"}
OPPOSITES |= {right: left for left, right in OPPOSITES.items()}


def add_operators() -> None:
    """Bugs that mutmut does not make: a call left out, two arguments swapped, max for min."""
    import libcst
    from mutmut.mutation.mutators import mutation_operators

    def leave_out(node: libcst.Expr) -> Iterator[libcst.Pass]:
        if isinstance(node.value, libcst.Call):
            yield libcst.Pass()

    def swap(node: libcst.Call) -> Iterator[libcst.Call]:
        plain = [i for i, arg in enumerate(node.args) if not (arg.star or arg.keyword)]
        for i, j in pairwise(plain):
            args = list(node.args)
            args[i], args[j] = (
                args[i].with_changes(value=args[j].value),
                args[j].with_changes(value=args[i].value),
            )
            yield node.with_changes(args=args)

    def opposite(node: libcst.Call) -> Iterator[libcst.Call]:
        name = node.func.attr if isinstance(node.func, libcst.Attribute) else node.func
        if isinstance(name, libcst.Name) and name.value in OPPOSITES:
            yield node.with_deep_changes(name, value=OPPOSITES[name.value])

    mutation_operators.extend(
        [(libcst.Expr, leave_out), (libcst.Call, swap), (libcst.Call, opposite)]
    )


def survivors_of(area: Area) -> tuple[Counter[str], list[str]]:
    """How many mutants had which fate, and the names of those that nobody noticed."""
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.stats import status_by_exit_code

    fates: dict[str, str] = {}
    for file in area.files:
        data = SourceFileMutationData(path=Path(file))
        data.load()
        fates |= {name: status_by_exit_code[code] for name, code in data.exit_code_by_key.items()}
    unnoticed = [name for name, fate in fates.items() if fate in UNNOTICED]
    return Counter(fates.values()), sorted(unnoticed)


def run(name: str) -> None:
    """Mutmut over one area, in its copy."""
    from mutmut import __main__ as mutmut
    from mutmut.configuration import config
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    area, folder = AREAS[name], BUILD / name
    folder.mkdir(parents=True, exist_ok=True)
    for entry in os.listdir(ROOT):
        if entry not in ("build", ".git") and not (folder / entry).is_symlink():
            (folder / entry).symlink_to(ROOT / entry)
    os.chdir(folder)
    config().only_mutate = list(area.files)
    config().pytest_add_cli_args_test_selection = list(area.tests)
    again = survivors_of(area)[1] if Path("mutants").exists() else []
    shutil.rmtree("mutants/tests", ignore_errors=True)
    mutate_decorated_functions()
    add_operators()
    mutmut._run(again, 1)
    fates, unnoticed = survivors_of(area)
    lines = [f"{name}: {sum(fates.values())} mutants, {dict(fates)}"]
    for mutant in unnoticed:
        lines += [f"\n# {mutant}", get_diff_for_mutant(mutant)]
    Path("survivors.txt").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def main() -> None:
    chosen = sys.argv[1:] or list(AREAS)
    if unknown := set(chosen) - set(AREAS):
        sys.exit(f"area is {', '.join(sorted(unknown))}; allowed: {', '.join(AREAS)}")
    if len(chosen) == 1:
        run(chosen[0])
        return
    # mutmut keeps its state in its modules: a process for each
    failed = [
        name for name in chosen if subprocess.run([sys.executable, __file__, name]).returncode
    ]
    if failed:
        sys.exit(f"could not be run: {', '.join(failed)}")


if __name__ == "__main__":
    main()
