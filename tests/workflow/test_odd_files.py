"""Scripts that are fed damaged tables and metadata: one line, exit code 1, and no output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from comparison.comparison_files import HISTORY, UNIT, write_metrics, write_table

from graphprune.methods import Result, results

# runs the scripts as Snakemake does, one after the other, and says how each ended
DRIVER = """
import contextlib, io, json, runpy, sys
from types import SimpleNamespace

class Named(list):
    def __init__(self, items):
        if isinstance(items, dict):
            vars(self).update(items)
            items = sum(([x] if isinstance(x, str) else x for x in items.values()), [])
        super().__init__(items)
    def items(self):
        return vars(self).items()

scripts, cases = json.loads(sys.stdin.read())
sys.path.insert(0, scripts)
ended = []
for script, files, output in cases:
    job = SimpleNamespace(
        rule=script, threads=1, log=["log"], config={}, input=Named(files), output=Named(output),
        wildcards=Named({"dataset": "digits", "network": "mlp", "regime": "finetune",
                         "method": "magnitude"}),
        params=Named({}),
    )
    code, said = 0, io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            runpy.run_path(f"{scripts}/{script}.py", {"snakemake": job})
        except SystemExit as end:
            code = end.code
        except Exception as error:
            code = repr(error)
    ended.append([code, said.getvalue()])
print(json.dumps(ended))
"""
PICTURES = {"histogram": ["h.png"], "removal": ["r.png"]}
DRAWN = {name: [f"{name}.png"] for name in ("finetuned", "pruned", "cost", "savings")}
TABLES = {"parquet": "t.parquet", "csv": "t.csv", "layers": "l.parquet"}
# script, inputs, outputs, what the line says after the file's name
CASES: list[tuple[str, Any, Any, str]] = [
    ("compare", {"metrics": ["list.json"], "latencies": []}, TABLES,
     "list.json: holds list; expected the metrics of a unit"),
    ("compare", {"metrics": ["seven.json"], "latencies": []}, TABLES,
     "seven.json: not the metrics of a unit: accuracy_finetuned is 7; allowed: <= 1"),
    ("compare", {"metrics": ["unit.json", "unit.json"], "latencies": []}, TABLES,
     "unit.json: holds the same unit as unit.json; each is allowed once"),
    ("compare", {"metrics": ["unit.json"], "latencies": ["empty"]}, TABLES,
     "empty: cannot be read ('it is empty'); expected the latencies of a network"),
    ("report", {"units": "empty"}, ["page.html"], "empty: cannot be read ("),
    ("figure_comparison", {"units": "odd.parquet"}, DRAWN,
     "odd.parquet: the table lacks the column 'dataset'"),
    ("figure_density", {"layers": "unit.json"}, ["d.png"], "unit.json: cannot be read ("),
    ("figure_removal", {"scores": ["scores"], "removal": ["history.csv"]}, PICTURES,
     "history.csv: line 2: not the removal curves of a network: epoch is '1'; allowed keys"),
    ("figure_unit", {"metrics": "unit.json", "history": "cut.csv"}, ["u.png"],
     "cut.csv: cannot be read ('its last line is cut off')"),
    ("figure_unit", {"metrics": "list.json", "history": "history.csv"}, ["u.png"],
     "list.json: holds list; expected the metrics of a unit"),
    ("figure_probabilities", ["unit.json", "list.json"], ["p.png"],
     "list.json: holds list; expected the metrics of a unit"),
]  # fmt: skip


@pytest.fixture(scope="module")
def ended(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    folder = tmp_path_factory.mktemp("odd")
    write_metrics(folder / "unit.json", UNIT)
    write_metrics(folder / "list.json", [UNIT])
    write_metrics(folder / "seven.json", {**UNIT, "accuracy_finetuned": 7})
    whole = write_table(folder / "history.csv", HISTORY).read_bytes()
    (folder / "cut.csv").write_bytes(whole[:-5])
    (folder / "empty").touch()
    results.save(folder / "scores", Result({"w": torch.ones(3)}), "magnitude")
    import pandas as pd

    pd.DataFrame({"a": [1]}).to_parquet(folder / "odd.parquet")
    given = json.dumps([str(root / "workflow/scripts"), [case[:3] for case in CASES]])
    run = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=given, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return folder, json.loads(run.stdout)


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: f"{CASES[n][0]}-{n}")
def test_a_damaged_file_ends_the_job_in_one_line(ended, number):
    folder, all_ended = ended
    (script, _, output, sentence), (code, said) = CASES[number], all_ended[number]
    assert code == 1, (code, said)
    lines = said.splitlines()
    assert len(lines) == 1, said
    assert lines[0].partition(": ")[2].startswith(sentence), said
    assert lines[0].startswith(script)
    files = output.values() if isinstance(output, dict) else output
    assert not [file for file in files if isinstance(file, str) and (folder / file).exists()]
