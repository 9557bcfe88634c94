"""ProbMask's claim: better than magnitude and random pruning at 95, 98 and 99 % sparsity.

    python benchmarks/probmask_claims.py DATA_FOLDER [--cores 2] [--presets workflow/presets/...]

Runs the claims presets through Snakemake on those of their datasets that the folder has, and
prints for every network and ratio the test accuracy of each method (mean and 95 % interval over
the seeds, in percent) and ProbMask's gap, in points, to the best of the others: the one with the
highest mean, its seeds paired with ProbMask's. Both tables are written beside the metrics. Call it
again to resume a run that was interrupted.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from graphprune import data
from graphprune.comparison.columns import NETWORK
from graphprune.errors import UserError
from graphprune.files import atomic, write_csv
from graphprune.statistics import interval

ROOT = Path(__file__).resolve().parents[1]
PRESETS = ("probmask_claims", "probmask_claims_subset")
UNIT = [*NETWORK, "compression"]
CANDIDATE = "probmask"


def is_there(dataset: str, folder: Path) -> bool:
    """Whether ``dataset`` can be read from ``folder`` without a download."""
    try:
        data.load(dataset, folder, download=False)
    except UserError as error:
        print(f"left out: {error}", file=sys.stderr)
        return False
    return True


def reduced(preset: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The preset with the networks whose dataset ``folder`` has, reading from there."""
    there = [network for network in preset["networks"] if is_there(network["dataset"], folder)]
    options = {"folder": str(folder), "download": False}
    return {**preset, "networks": there, "data": options}


def run(config: Mapping[str, Any], cores: int) -> pd.DataFrame:
    """The metrics of every unit of ``config``, by the workflow."""
    results = Path(config["results"])
    written = results / "config.yaml"
    with atomic(written) as temporary:
        temporary.write_text(yaml.safe_dump(dict(config), sort_keys=False))
    table = results / "metrics.csv"
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", str(written), "--cores", str(cores), "--rerun-incomplete"]
    subprocess.run([*command, str(table)], check=True)
    return pd.read_csv(table, float_precision="round_trip")


def accuracies(units: pd.DataFrame) -> list[dict[str, object]]:
    """A row per network, ratio, regime and method: mean test accuracy and its interval, percent."""
    rows: list[dict[str, object]] = []
    for key, group in units.groupby([*UNIT, "regime", "method"], sort=False):
        mean, half = interval(100 * group["accuracy_finetuned"])
        named = dict(zip([*UNIT, "regime", "method"], key, strict=True))
        rows.append({**named, "seeds": len(group), "accuracy": mean, "half_width": half})
    return rows


def gaps(units: pd.DataFrame) -> list[dict[str, object]]:
    """A row per network and ratio: ProbMask's lead over the best other method, in points."""
    rows: list[dict[str, object]] = []
    for key, group in units.groupby(UNIT, sort=False):
        by_method = group.assign(method=group["method"] + " (" + group["regime"] + ")")
        table = 100 * by_method.pivot(index="seed", columns="method", values="accuracy_finetuned")
        ours = [name for name in table if name.startswith(CANDIDATE)]
        others = table.drop(columns=ours)
        best = others.mean().idxmax()
        for name in ours:
            mean, half = interval(table[name] - others[best])
            named = dict(zip(UNIT, key, strict=True))
            rows.append({**named, "candidate": name, "best_other": best, "gap": mean,
                         "half_width": half})  # fmt: skip
    return rows


def show(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    print(pd.DataFrame(list(rows)).to_string(index=False, float_format="{:.2f}".format))
    write_csv(path, rows)
    print(f"-> {path}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the datasets, in torchvision's layout")
    parser.add_argument("--cores", type=int, default=2)
    default = [ROOT / "workflow/presets" / f"{name}.yaml" for name in PRESETS]
    parser.add_argument("--presets", type=Path, nargs="+", default=default)
    parser.add_argument("--results", type=Path, help="folder of all outputs; default: the preset's")
    arguments = parser.parse_args()
    runs = 0
    for path in arguments.presets:
        config = reduced(yaml.safe_load(path.read_text()), arguments.data.resolve())
        if not config["networks"]:
            continue
        if arguments.results is not None:
            config["results"] = str(arguments.results / path.stem)
        units = run(config, arguments.cores)
        show(accuracies(units), Path(config["results"]) / "claims_accuracy.csv")
        show(gaps(units), Path(config["results"]) / "claims_gap.csv")
        runs += 1
    if not runs:
        print(f"{arguments.data} has none of the datasets; nothing was run", file=sys.stderr)
    return 0 if runs else 1


if __name__ == "__main__":
    sys.exit(main())
