"""What jobs asked a scheduler for, beside what they used: run it on the results of any run.

    python benchmarks/resources.py results

Reads the files of Snakemake's ``benchmark:`` directives. By stage: the largest resident memory and
the longest time of its jobs, and the least that any of them asks for at its first attempt, with two
Snakemakes' share taken off, for the files do not count it.
"""

from __future__ import annotations

import argparse
import csv
import re
from pathlib import Path

from graphprune import demands
from graphprune.models.catalog import MODELS
from graphprune.sizes import EXAMPLES

NETWORK = re.compile(rf"({'|'.join(EXAMPLES)})-({'|'.join(sorted(MODELS, key=len)[::-1])})\b")
# rules whose stage has another name
STAGES = {
    "compare": "records",
    "report": "records",
    "store": "records",
    "track": "records",
    "track_comparison": "records",
    "initial_activations": "activations",
}


def stage_of(rule: str) -> str:
    rule = re.sub(r"_(seed)?\d+$", "", rule)
    if rule.startswith("figure_"):
        return "figures"
    return STAGES.get(rule, rule)


def measured(folder: Path) -> list[tuple[str, str, str, float, float]]:
    """Stage, dataset, model, MB and seconds of every job."""
    rows = []
    for path in sorted((folder / "benchmarks").rglob("*.tsv")):
        rule = path.relative_to(folder / "benchmarks").parts[0].removesuffix(".tsv")
        found = NETWORK.search(path.stem)
        dataset, model = found.groups() if found else (path.stem, "")
        with path.open() as file:
            row = list(csv.DictReader(file, delimiter="\t"))[-1]
        rows.append((stage_of(rule), dataset, model, number(row["max_rss"]), number(row["s"])))
    return rows


def number(text: str) -> float:
    # a job too short to be looked at has NA
    return float(text) if text not in ("NA", "-") else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"))
    largest: dict[tuple[str, str, str], tuple[float, float]] = {}
    for stage, dataset, model, memory, seconds in measured(parser.parse_args().results):
        key = (stage, dataset, model) if model else (stage, dataset if stage == "data" else "", "")
        before = largest.get(key, (0.0, 0.0))
        largest[key] = (max(before[0], memory), max(before[1], seconds))
    print(f"{'stage':<12} {'network':<22} {'used MB':>8} {'asked MB':>9} {'used s':>7}")
    for (stage, dataset, model), (memory, seconds) in sorted(largest.items()):
        if stage not in demands.BASE:
            continue
        # figures are of a network, but need the same for all
        named = stage not in demands.OVERVIEWS
        task = demands.Task(stage, dataset if named else "", model if named else "")
        asked = demands.memory(task) - demands.SNAKEMAKE
        mark = "" if memory < asked else "  TOO LITTLE"
        network = f"{dataset} {model}".strip()
        print(f"{stage:<12} {network:<22} {memory:8.0f} {asked:9} {seconds:7.1f}{mark}")


if __name__ == "__main__":
    main()
