"""Does everything in a folder of results belong there?

folder: the configuration of the results, and the files in them. artifacts: digests, places and
inputs of what says itself what made it. notes: the same for files with a note. units: what holds
between the files of a unit. tables: rows against units. record: MLflow's runs against units.
measured: accuracies, measured again. findings: what was found.

Two questions are kept apart. Damage and misplacement are *wrong*. What is whole and in its place
but was made by other code or settings than those at hand is *outdated*.
"""

from __future__ import annotations

from pathlib import Path

from graphprune.verify import measured, notes, record, tables, units
from graphprune.verify.artifacts import Artifacts
from graphprune.verify.findings import Findings
from graphprune.verify.folder import Folder

__all__ = ["Findings", "verify"]


def verify(results: str | Path, *, measure: bool = False, plugins: bool = False) -> Findings:
    """Work out every digest and relation in a folder of results again.

    Parameters
    ----------
    results : folder that a run has written; its ``config.json`` says what belongs into it.
    measure : also measure the accuracies of every unit again on the test split.
    plugins : load the plug-ins that the configuration names, which runs their code.

    Raises UserError if the folder has no configuration that can be read. Nothing is written.

    >>> verify("results").wrong
    []
    """
    folder, findings = Folder.read(str(results), plugins), Findings()
    Artifacts(folder, findings).check()
    notes.check(folder, findings)
    units.check(folder, findings)
    tables.check(folder, findings)
    record.check(folder, findings)
    if measure:
        measured.check(folder, findings)
    return findings
