"""The metadata of an archive: an RO-Crate, by the profile for a workflow and its run.

Sources: RO-Crate 1.1, https://w3id.org/ro/crate/1.1; Workflow RO-Crate 1.0; Workflow Run Crate 0.5,
https://w3id.org/ro/wfrun/workflow/0.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from graphprune.archive.entries import Entry, as_json
from graphprune.archive.results import CONFIGURATION, INSIDE
from graphprune.errors import UserError

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

FILE = "ro-crate-metadata.json"
WORKFLOW = "Snakefile"
_VERSION = "1.1"
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
}
# it has the term sha256
_TERMS = "https://w3id.org/ro/terms/workflow-run/context"
_FORMATS = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
    ".py": "text/x-python",
    ".svg": "image/svg+xml",
    ".toml": "application/toml",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
}
_DESCRIPTION = (
    "A comparison of pruning methods: results, and the workflow that made them. Verify with "
    f"`python -m graphprune.verify {INSIDE.results}`; make what was not packed again with "
    f"`snakemake --cores all --configfile {CONFIGURATION}`."
)


def metadata(entries: Sequence[Entry], state: Mapping[str, str]) -> bytes:
    """The content of `FILE` for an archive of ``entries``.

    state: commit and date of the workflow's source.

    Raises UserError if the library that writes it is not installed.
    """
    try:
        from rocrate.rocrate import ROCrate
    except ImportError as error:
        raise UserError(
            f"archives need the package {error.name}, which make setup installs; run it again"
        ) from error
    crate = ROCrate(version=_VERSION)
    crate.metadata.extra_contexts.append(_TERMS)
    crate.name = "Comparison of pruning methods by graphprune"
    crate.description = _DESCRIPTION
    crate.datePublished = state["date"]
    names = {entry.name for entry in entries}
    for entry in entries:
        if entry.name != WORKFLOW:
            crate.add_file(dest_path=entry.name, properties=_properties(entry))
    workflow = next(entry for entry in entries if entry.name == WORKFLOW)
    properties = {**_properties(workflow), "version": state["commit"]}
    crate.add_workflow(dest_path=WORKFLOW, properties=properties, main=True, lang="snakemake")
    if "LICENSE" in names:
        crate.license = crate.get("LICENSE")
    _add_run(crate, [name for name in sorted(names) if name.startswith(f"{INSIDE.results}/")])
    return as_json(crate.metadata.generate())


def _properties(entry: Entry) -> dict[str, object]:
    suffix = f".{entry.name.rpartition('.')[2]}"
    form = {"encodingFormat": _FORMATS[suffix]} if suffix in _FORMATS else {}
    name = entry.name.rpartition("/")[2]
    return {"name": name, "contentSize": str(entry.size), "sha256": entry.digest, **form}


def _add_run(crate: ROCrate, results: Sequence[str]) -> None:
    """The run, which made ``results`` from the configuration, and the profiles for it."""
    from rocrate.model import ContextEntity

    run = {
        "@type": "CreateAction",
        "name": "run of the workflow",
        "instrument": {"@id": WORKFLOW},
        "object": [{"@id": CONFIGURATION}],
        "result": [{"@id": name} for name in results],
    }
    crate.root_dataset.append_to("mentions", crate.add(ContextEntity(crate, "#run", run)))
    for address, name in _PROFILES.items():
        profile = {"@type": "CreativeWork", "name": name, "version": address.rpartition("/")[2]}
        entity = crate.add(ContextEntity(crate, address, profile))
        crate.root_dataset.append_to("conformsTo", entity)
