"""How much is tried: a little in `make test`, all that was promised with FUZZ=full."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

FULL = os.environ.get("FUZZ") == "full"


def amount(few: int, many: int) -> int:
    """How many cases: ``few``, or ``many`` by `make test-fuzz`."""
    return many if FULL else few


def tried(few: int, many: int) -> settings:
    """Hypothesis' settings for so many cases; a failure prints what makes it again."""
    return settings(
        max_examples=amount(few, many),
        deadline=None,
        print_blob=True,
        # the same cases in every run of the suite, others each time in full
        derandomize=not FULL,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
