"""What every script of the workflow shares: its log, its threads, its one-line errors.

And its provenance: inputs are held against their recipes before a job starts, outputs say what made
them.
"""

from __future__ import annotations

import errno
import logging
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# the package beside this workflow, installed or not
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

# thread limits of all libraries that start threads; libraries read them at import
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
# what libraries say when the disk cannot be written; not all of them raise an OSError
DISK_ERRORS = {
    errno.ENOSPC: ("No space left on device", "database or disk is full"),
    errno.EDQUOT: ("Disk quota exceeded",),
    errno.EROFS: ("Read-only file system", "attempt to write a readonly database"),
    errno.EACCES: ("Permission denied",),
}


@contextmanager
def job(snakemake: Any) -> Iterator[logging.Logger]:
    """Run a stage: log to the rule's log file, limit the threads, end on a UserError in one line.

    Inputs that were made by other settings or code than the configuration's, or that belong
    elsewhere, end the job before it starts. Outputs that cannot say themselves what made them get a
    note. Every attempt adds a first and a last line to the log: where and when it ran, its memory.
    Import heavy packages inside the block: they read the thread limits at import.
    """
    for variable in THREADS:
        os.environ[variable] = str(snakemake.threads)
    from graphprune.data.streamed import folders
    from graphprune.errors import UserError
    from graphprune.jobs.provenance import place
    from graphprune.jobs.redaction import guard
    from graphprune.plugins import load_plugins

    guard()
    start = time.perf_counter()
    log = _log_to(snakemake.log[0])
    log.info("started on %s", place())
    _sweep(snakemake.output)
    try:
        if plugins := snakemake.config.get("plugins"):
            load_plugins(plugins)
        folders.register(snakemake.config.get("data"))
        # a script that is run by hand has no configuration
        artifacts = snakemake.artifacts = Artifacts(snakemake) if snakemake.config else None
        if artifacts:
            artifacts.check_inputs()
            artifacts.fix_code()
        yield log
        if artifacts:
            artifacts.note_outputs()
    except UserError as error:
        log.error("%s", error)
        _end(snakemake, str(error))
    except Exception as error:
        if reason := _disk_error(error):
            folder = Path(snakemake.output[0]).parent
            message = f"{folder}: {reason}; make room or make it writable, then run again"
            log.error("%s", message)
            _end(snakemake, message)
        log.exception("%s failed", snakemake.rule)
        raise
    seconds = time.perf_counter() - start
    log.info("finished after %.1f s, %s, peak memory %d MB", seconds, snakemake.rule, peak_memory())


class Artifacts:
    """The inputs and outputs of a job, and what made them."""

    def __init__(self, snakemake: Any) -> None:
        from graphprune.provenance.artifacts import Disk
        from graphprune.provenance.recipes import Recipes

        self.snakemake = snakemake
        self.recipes = Recipes(snakemake.config)
        self.disk = Disk()

    def check_inputs(self) -> None:
        """UserError, naming the file, for an input that is not what its path says.

        What the inputs say now is what the outputs are made from, whatever is put there meanwhile.
        """
        from graphprune.errors import UserError

        for path in dict.fromkeys(self.snakemake.input):
            if (recipe := self.recipes.of(path)) and (reason := self.disk.misfit(recipe, path)):
                raise UserError(f"{reason}; remove the file and run again")
            if recipe:
                self.disk.hold(path)

    def fix_code(self) -> None:
        """Digest the code now, before it is imported: it may be edited while the job runs."""
        from graphprune.provenance import artifacts, receipts

        artifacts.maker()
        # each recipe digests its stage's code
        recipes = [self.recipes.beside(str(path)) for path in self.snakemake.output]
        if not any(recipes):
            receipts.code_of(self.script())

    def digest(self, path: str) -> str:
        """Of the recipe of the output ``path``; of the job's code, if it has no recipe."""
        from graphprune.provenance import receipts

        recipe = self.recipes.of(path)
        return recipe.digest if recipe else receipts.code_of(self.script())

    def script(self) -> str:
        """The name of the job's script; what Snakemake runs is a copy of it under another name."""
        return Path(sys.modules["__main__"].__file__ or "").name

    def made(self, path: str) -> dict[str, object]:
        """What the output ``path`` says of what made it."""
        from graphprune.errors import UserError

        recipe = self.recipes.of(path)
        if recipe is None:
            raise UserError(
                f"{path}: is of no unit of the configuration; was it changed meanwhile?"
            )
        return self.disk.made(recipe)

    def note_outputs(self) -> None:
        """Write a note of what made the outputs, where they cannot say it themselves."""
        from graphprune.provenance import receipts

        outputs = list(map(str, self.snakemake.output))
        if all(self.recipes.beside(path) is None for path in outputs):
            facts = receipts.JobFacts(
                self.script(),
                dict(self.snakemake.params.items()),
                list(map(str, self.snakemake.input)),
                outputs,
            )
            receipts.write(facts, self.recipes, self.disk)


def peak_memory() -> int:
    """The most resident memory that this process has had, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would count what Snakemake had when it started this process
        kilobytes = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
        return int(kilobytes.split()[1]) * 1024 // 10**6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 10**6 if sys.platform == "darwin" else peak * 1024 // 10**6


def made(snakemake: Any, path: str) -> dict[str, object] | None:
    """What the output ``path`` of the job says of what made it; None where there is no run."""
    artifacts = snakemake.artifacts
    return artifacts.made(path) if artifacts else None


def unfinished(snakemake: Any, path: str) -> Path:
    """Where a method keeps a training for the output ``path`` that a kill must not lose.

    It is named after the recipe, or the code where the output has none: a training by other
    settings or code is not gone on with, and what is left of one is removed.
    """
    artifacts = snakemake.artifacts
    digest = artifacts.digest(path) if artifacts else "any"
    own = Path(path).with_suffix(f".{digest[:12]}.partial.safetensors")
    for left in own.parent.glob(f"{Path(path).stem}.*.partial.safetensors"):
        if left != own:
            left.unlink()
    return own


def partial(snakemake: Any, path: str) -> Any:
    """Where a training for the output ``path`` is kept until its job has ended."""
    from graphprune.defaults import CHECKPOINT_MINUTES
    from graphprune.training.resuming import Partial

    minutes = snakemake.config.get("checkpoint_minutes", CHECKPOINT_MINUTES)
    return Partial(unfinished(snakemake, path), minutes)


def workers(snakemake: Any) -> int:
    """How many processes read the images of a streamed dataset ahead."""
    given: int = snakemake.config.get("data", {}).get("workers", 0)
    return given


def examples(snakemake: Any) -> tuple[Any, Any]:
    """Inputs and targets that a scoring job looks at: calibration, the training split, or none."""
    from graphprune import data
    from graphprune.models import networks
    from graphprune.neural_graph import calibration

    if chosen := snakemake.input.get("calibration"):
        return calibration.read(chosen)
    if path := snakemake.input.get("data"):
        seen = networks.identity_of(snakemake.input.checkpoint).preprocess
        split = data.read(path, seen, workers(snakemake)).train
        return split.images, split.labels
    return None, None


def _log_to(path: str) -> logging.Logger:
    # the job reports a full disk once; logging must not report every line that it cannot write
    logging.raiseExceptions = False
    handlers: list[logging.Handler]
    try:
        handlers = [logging.FileHandler(path)]
    except OSError:
        handlers = [logging.StreamHandler()]
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s [%(process)d] %(levelname)s %(message)s",
        handlers=handlers,
    )
    return logging.getLogger("graphprune")


def _sweep(outputs: Any) -> None:
    # an attempt that was killed while it wrote left its temporary file (graphprune.files.atomic)
    for output in map(Path, outputs):
        for left in output.parent.glob(f".*.{output.name}"):
            if left.name.split(".")[1].isdigit():
                left.unlink(missing_ok=True)


def _disk_error(error: BaseException | None) -> str:
    """Why the disk could not be written, if that caused ``error``; else an empty text."""
    while error is not None:
        for number, texts in DISK_ERRORS.items():
            if getattr(error, "errno", None) == number or any(t in str(error) for t in texts):
                return os.strerror(number)
        error = error.__cause__ or error.__context__
    return ""


def _end(snakemake: Any, message: str) -> None:
    from graphprune.jobs.redaction import redacted

    unit = " ".join(snakemake.wildcards)
    print(redacted(f"{snakemake.rule} {unit}: {message}"), file=sys.stderr)
    sys.exit(1)
