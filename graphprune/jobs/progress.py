"""How far a run of the workflow is: units done, running and left, and an estimate."""

from __future__ import annotations

from collections.abc import Iterable

from graphprune.layout import folder_of


class Progress:
    """Counts the units of a run from the jobs that start and finish.

    Each wanted file stands for the unit in whose folder it lies. A job works on the units in whose
    folders its outputs lie. A unit is running from the start of the first job that works on it. It
    is done when the job that makes its wanted file has finished. It stops running when a job fails.

    wanted: the files of all units. present: those that are there already.

    >>> progress = Progress(["a/metrics.json", "b/metrics.json"], present=["a/metrics.json"])
    >>> progress.started(1, ["b/mask.safetensors"])
    >>> progress.line(steps=1, of=4, seconds=60.0)
    'units: 1 done, 1 running, 0 left; 1 of 4 steps, about 3 min to go'
    """

    def __init__(self, wanted: Iterable[str], present: Iterable[str] = ()) -> None:
        self.units = {folder_of(path): path for path in wanted}
        self.done = {folder_of(path) for path in present} & set(self.units)
        self.running: set[str] = set()
        self._jobs: dict[object, list[str]] = {}

    def started(self, job: object, outputs: Iterable[str]) -> None:
        """``job``, any hashable name, runs and will make ``outputs``."""
        self._jobs[job] = list(outputs)
        self.running |= self._units_of(job) - self.done

    def failed(self, job: object) -> None:
        """``job`` runs no more and made nothing; it may be tried again."""
        self.running -= self._units_of(job)

    def finished(self, job: object) -> None:
        """``job`` has made its outputs; one that never started is ignored."""
        for path in self._jobs.get(job, []):
            if self.units.get(folder_of(path)) == path:
                self.done.add(folder_of(path))
        self.running -= self.done

    def _units_of(self, job: object) -> set[str]:
        folders = {folder_of(path) for path in self._jobs.get(job, [])}
        # scores are a folder above the units that are made from them
        return {unit for unit in self.units if {unit, folder_of(unit)} & folders}

    def line(self, steps: int, of: int, seconds: float) -> str:
        """One line: the units, ``steps`` done out of ``of``, and the time the others may take.

        seconds: since the start; the estimate takes all steps to be alike.
        """
        running = len(self.running)
        left = len(self.units) - len(self.done) - running
        text = f"units: {len(self.done)} done, {running} running, {left} left; "
        text += f"{steps} of {of} steps"
        if 0 < steps < of:
            text += f", about {duration(seconds / steps * (of - steps))} to go"
        return text


def duration(seconds: float) -> str:
    """``seconds`` as people say it, in the largest unit that leaves one digit or more.

    >>> duration(40), duration(100), duration(9000)
    ('40 s', '2 min', '2.5 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
