"""Datasets: loaded by name, split once and for all, kept in one file.

>>> dataset = load("digits")
>>> save("digits.safetensors", dataset)
>>> read("digits.safetensors").digest == dataset.digest
True
"""

from __future__ import annotations

from graphprune.data.base import Dataset, Scaling, Split
from graphprune.data.catalog import DATASETS, Description, describe
from graphprune.data.loading import load
from graphprune.data.storage import read, save

__all__ = [
    "DATASETS",
    "Dataset",
    "Description",
    "Scaling",
    "Split",
    "describe",
    "load",
    "read",
    "save",
]
