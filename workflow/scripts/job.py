"""What every script of the workflow shares: its log, its threads, its one-line errors."""

from __future__ import annotations

import errno
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# the package beside this workflow, installed or not
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

# everything that starts threads of its own; read when the packages are imported
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
# what the libraries say, which do not all raise an OSError, when a disk takes no more
DISK_ERRORS = {
    errno.ENOSPC: ("No space left on device", "database or disk is full"),
    errno.EDQUOT: ("Disk quota exceeded",),
    errno.EROFS: ("Read-only file system", "attempt to write a readonly database"),
}


@contextmanager
def job(snakemake: Any) -> Iterator[logging.Logger]:
    """Run a stage: log to the rule's log file, keep to its threads, end on a UserError in one line.

    Every attempt adds a first and a last line to the log that say where and when it ran. Heavy
    packages are to be imported inside the block: the thread limits are read at import.
    """
    for variable in THREADS:
        os.environ[variable] = str(snakemake.threads)
    from graphprune.errors import UserError
    from graphprune.provenance import place

    start = time.perf_counter()
    log = _log_to(snakemake.log[0])
    log.info("started on %s", place())
    _sweep(snakemake.output)
    try:
        yield log
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
    log.info("finished after %.1f s", time.perf_counter() - start)


def _log_to(path: str) -> logging.Logger:
    # a full disk is told of once, by the job, and not by every line that could not be logged
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
    """Why the disk took no more, if that is what ``error`` comes from; else nothing."""
    while error is not None:
        for number, texts in DISK_ERRORS.items():
            if getattr(error, "errno", None) == number or any(t in str(error) for t in texts):
                return os.strerror(number)
        error = error.__cause__ or error.__context__
    return ""


def _end(snakemake: Any, message: str) -> None:
    unit = " ".join(snakemake.wildcards)
    print(f"{snakemake.rule} {unit}: {message}", file=sys.stderr)
    sys.exit(1)
