"""How much is tried: a little in `make test`, all that was promised with FUZZ=full."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

FULL = os.environ.get("FUZZ") == "full"


def amount(few: int, many: int) -> int:
    """How many cases: ``few``, or ``many`` by `make test-fuzz`."""
    return many if FULL else few


def tried(few: int, many: int, shrink: bool = True) -> settings:
    """Hypothesis' settings for so many cases; a failure prints what makes it again.

    shrink: look for a smaller case after a failure, which takes many more.
    """
    return settings(
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        max_examples=amount(few, many),
        deadline=None,
        print_blob=True,
        # the same cases in every run of the suite, others each time in full
        derandomize=not FULL,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
