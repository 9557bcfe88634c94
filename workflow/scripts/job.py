"""What every script of the workflow shares: its log, its threads, its one-line errors."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# the package beside this workflow, installed or not
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


@contextmanager
def job(snakemake: Any) -> Iterator[logging.Logger]:
    """Run a stage: log to the rule's log file, keep to its threads, end on a UserError in one line.

    Heavy packages are to be imported inside the block: the thread limits are read at import.
    """
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(snakemake.threads)
    os.environ["NUMBA_NUM_THREADS"] = str(snakemake.threads)
    from graphprune.errors import UserError

    handlers = [logging.FileHandler(snakemake.log[0], mode="w")]
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=handlers
    )
    log = logging.getLogger("graphprune")
    try:
        yield log
    except UserError as error:
        log.error("%s", error)
        unit = " ".join(snakemake.wildcards)
        print(f"{snakemake.rule} {unit}: {error}", file=sys.stderr)
        sys.exit(1)
    except Exception:
        log.exception("%s failed", snakemake.rule)
        raise
