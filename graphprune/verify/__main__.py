"""``python -m graphprune.verify results/``: does all that lies there belong there?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from graphprune.errors import UserError
from graphprune.verify import Findings, verify

# of what is no failure
LINES_SHOWN = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify a folder of results; 0 if all in it belongs, else 1 and a line for each finding."""
    parser = argparse.ArgumentParser(prog="python -m graphprune.verify", description=__doc__)
    parser.add_argument("results", help="folder of results")
    parser.add_argument(
        "--measure", action="store_true", help="measure every accuracy again (slow)"
    )
    parser.add_argument(
        "--current", action="store_true", help="fail on results of other code or settings as well"
    )
    parser.add_argument(
        "--plugins", action="store_true", help="load the plug-ins of the results: runs their code"
    )
    options = parser.parse_args(arguments)
    try:
        findings = verify(options.results, measure=options.measure, plugins=options.plugins)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    wrong = findings.wrong + (findings.outdated if options.current else [])
    for line in wrong:
        print(line)
    print(*_notes(findings), sep="\n", end="\n" if _notes(findings) else "")
    print(_summary(options.results, findings, len(wrong)))
    return 1 if wrong else 0


def _notes(findings: Findings) -> list[str]:
    """What is no failure, cut to a few lines."""
    foreign = [f"note: {path}: not of this configuration" for path in findings.foreign]
    if len(foreign) > LINES_SHOWN:
        foreign[LINES_SHOWN:] = [f"note: {len(foreign) - LINES_SHOWN} more files are not"]
    notes = [*foreign, *(f"note: {line}" for line in findings.remarks)]
    if findings.absent:
        count, first = len(findings.absent), findings.absent[0]
        notes.append(f"absent: {count} artifacts, not made yet or left out; the first: {first}")
    if findings.outdated:
        count, first = len(findings.outdated), findings.outdated[0]
        notes.append(
            f"outdated: {count} artifacts, which a run would make again; the first: {first}"
        )
    return notes


def _summary(results: str, findings: Findings, wrong: int) -> str:
    counts = ", ".join(f"{count} {what}" for what, count in findings.looked.items())
    verdict = f"{wrong} do not belong" if wrong else "all belong"
    return f"{results}: {counts}: {verdict}"


if __name__ == "__main__":
    sys.exit(main())
