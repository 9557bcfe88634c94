from pathlib import Path

import pytest

# helpers whose failed assertions are explained as those of tests are
pytest.register_assert_rewrite(
    "brute_force",
    "cluster.workspace",
    "configuration.examples",
    "graph_checks",
    "interrupted_runs",
    "plugin_examples",
    "tracking_examples",
)

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root():
    """The folder of the checkout."""
    return ROOT
