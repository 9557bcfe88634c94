"""The datasets by name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from graphprune import data
from graphprune.errors import UserError


def test_unknown_name() -> None:
    with pytest.raises(UserError, match=r"dataset is 'minst'; allowed: .*mnist5k"):
        data.load("minst")


def test_describing_needs_no_heavy_import() -> None:
    """The configuration is checked before any job, in a process that must start fast."""
    code = (
        "import sys; from graphprune.data import describe; describe('cifar100');"
        "print(*{'torch', 'torchvision', 'sklearn', 'mlxtend', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
