"""The programs in benchmarks/, imported: they are no package."""

import importlib
import sys
from pathlib import Path
from types import ModuleType


def benchmark(root: Path, name: str) -> ModuleType:
    """The module ``benchmarks/NAME.py`` of the project at ``root``."""
    folder = str(root / "benchmarks")
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(folder)
