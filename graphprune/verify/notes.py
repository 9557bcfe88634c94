"""Files that cannot say what made them, held against the notes that their jobs left."""

from __future__ import annotations

from pathlib import Path

from graphprune.files import file_digest, read_json
from graphprune.provenance import receipts
from graphprune.verify.findings import Findings
from graphprune.verify.folder import Folder


def check(folder: Folder, findings: Findings) -> None:
    """Every file with a note has the digest in it; a file that needs a note has one.

    Files that are neither artifacts nor noted, and stand in the place of nothing, are foreign.
    """
    paths, noted = folder.paths, set[str]()
    place = paths.made(f"{paths.results}/any").removesuffix("any.json")
    notes = dict.fromkeys(path for path in folder.files if path.startswith(place))
    dense = {
        file for one in folder.networks() for file in (one.latency, one.graph, one.graph_summary)
    }
    for path in notes:
        with findings.reading(path, "a note of what made a file"):
            noted |= _check(folder, findings, path)
    for path in folder.files:
        if path in notes or folder.recipes.beside(path) or path in noted:
            continue
        if path in dense or _needs_note(folder, path):
            findings.add(f"{path}: no note in {paths.results}/made says what made it")
        else:
            findings.foreign.append(path)


def _check(folder: Folder, findings: Findings, path: str) -> set[str]:
    """Hold the files of the note ``path`` against it; the paths of the outputs in it."""
    findings.looked["notes"] += 1
    note, _ = read_json(path, "a note of what made a file")
    outputs = {f"{folder.results}/{name}": held for name, held in note["outputs"].items()}
    first = next(iter(outputs))
    if folder.paths.made(first) != path:
        findings.add(f"{path}: is the note of {first}")
    for output, held in outputs.items():
        if not Path(output).exists():
            if output not in folder.left_out:
                findings.add(f"{output}: is not there, though {path} says that it was made")
        elif file_digest(output) != held:
            findings.add(f"{output}: was changed after it was written")
    for name, held in note["inputs"].items():
        source = f"{folder.results}/{name}"
        now = (
            receipts.content_of(source, folder.recipes, folder.disk)
            if Path(source).exists()
            else held
        )
        if now != held:
            findings.add(f"{first}: was made from another {source}")
    return set(outputs)


def _needs_note(folder: Folder, path: str) -> bool:
    """Whether ``path`` is where the workflow puts a file that has a note."""
    paths = folder.paths
    tables = (paths.units_table, paths.units_csv, paths.layers_table, paths.summary)
    folders = (f"{paths.figures}/", f"{paths.results}/tracking/")
    return path in tables or path.startswith(folders)
