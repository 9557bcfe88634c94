"""What jobs ask a scheduler for, compared with what they used, from the results of any run.

    python benchmarks/resources.py results

It reads the files of Snakemake's ``benchmark:`` directives, and the last lines of the logs of jobs
that have none, and prints for each stage the largest resident memory and the longest time of its
jobs, and the least memory that one of them asks for at its first attempt. The share of the two
Snakemakes is subtracted, for neither counts it.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Iterator
from pathlib import Path

from graphprune.data.catalog import DATASETS
from graphprune.jobs import demands
from graphprune.models.networks import Identity, identity_of

# a job's name has the dataset's and the network's; neither contains a hyphen
NETWORK = re.compile(rf"\b({'|'.join(DATASETS)})-([a-z0-9_]+)")
# what job.py writes at the end of a job
FINISHED = re.compile(r"finished after ([\d.]+) s, (\w+), peak memory (\d+) MB$", re.MULTILINE)
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


Job = tuple[str, str, str, float, float]


def measured(folder: Path) -> list[Job]:
    """Stage, dataset, network, MB and seconds of every job."""
    return [*from_benchmarks(folder / "benchmarks"), *from_logs(folder)]


def from_benchmarks(folder: Path) -> Iterator[Job]:
    for path in sorted(folder.rglob("*.tsv")):
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        with path.open() as file:
            row = list(csv.DictReader(file, delimiter="\t"))[-1]
        yield stage_of(rule), *network_in(path), number(row["max_rss"]), number(row["s"])


def from_logs(folder: Path) -> Iterator[Job]:
    """The jobs of rules without a benchmark; several of them share a log."""
    for path in sorted((folder / "logs").rglob("*.log")):
        for seconds, rule, memory in FINISHED.findall(path.read_text(errors="replace")):
            file = folder / "benchmarks" / rule
            if not (file.exists() or file.with_suffix(".tsv").exists()):
                yield stage_of(rule), *network_in(path), float(memory), float(seconds)


def network_in(path: Path) -> tuple[str, str]:
    """Dataset and network in the name of a job's file; of a dataset's job, its dataset alone."""
    match = NETWORK.search(path.stem)
    return (match[1], match[2]) if match else (path.stem, "")


def identity(folder: Path, dataset: str, network: str) -> Identity:
    """The network's identity, from the checkpoint of any seed."""
    return identity_of(next(folder.glob(f"{dataset}/{network}/seed*/dense/initial.safetensors")))


def number(text: str) -> float:
    # a job too short to be looked at has NA
    return float(text) if text not in ("NA", "-") else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="?", default=Path("results"))
    folder = parser.parse_args().results
    largest: dict[tuple[str, str, str], tuple[float, float]] = {}
    for stage, dataset, name, memory, seconds in measured(folder):
        key = (stage, dataset, name) if name else (stage, dataset if stage == "data" else "", "")
        before = largest.get(key, (0.0, 0.0))
        largest[key] = (max(before[0], memory), max(before[1], seconds))
    print(f"{'stage':<12} {'network':<22} {'used MB':>8} {'asked MB':>9} {'used s':>7}")
    for (stage, dataset, name), (memory, seconds) in sorted(largest.items()):
        if stage not in demands.BASE:
            continue
        if stage in demands.OVERVIEWS:
            # figures are of one network, but need the same for all
            task = demands.Task(stage)
        elif name:
            built = identity(folder, dataset, name)
            task = demands.Task(stage, dataset, built.model, options=built.options)
        else:
            task = demands.Task(stage, dataset)
        asked = demands.memory(task) - demands.SNAKEMAKE
        mark = "" if memory < asked else "  TOO LITTLE"
        network = f"{dataset} {name}".strip()
        print(f"{stage:<12} {network:<22} {memory:8.0f} {asked:9} {seconds:7.1f}{mark}")


if __name__ == "__main__":
    main()
