from pathlib import Path

import pytest
from hypothesis import Phase, settings

# for make test-mutation, which asks whether a test fails and not of the smallest case that does
settings.register_profile("as-found", phases=(Phase.explicit, Phase.generate), database=None)

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


def pytest_collection_modifyitems(items):
    """Files that run the workflow go first: at the end a worker would be left alone with one."""
    items.sort(key=lambda item: "workflow" not in item.path.parts)


@pytest.fixture(scope="session")
def root():
    """The folder of the checkout."""
    return ROOT
