"""Pruning methods: what one is, which there are, how they are run, their results on disk.

>>> build("random", seed=3).run(model).scores
"""

from __future__ import annotations

from graphprune.methods.base import Method, Result, Scores
from graphprune.methods.catalog import METHODS, build, method_class

__all__ = ["METHODS", "Method", "Result", "Scores", "build", "method_class"]
