"""Figures of the comparison and of single units, as matplotlib figures built from tables.

>>> from graphprune import figures
>>> figures.save(figures.accuracy_against_compression(units), "results/figures/accuracy")
... # doctest: +SKIP
"""

from __future__ import annotations

from graphprune.figures.accuracy import accuracy_against_compression, scoring_cost
from graphprune.figures.cost import cost_against_compression
from graphprune.figures.curvature import curvature_histogram, removal_curves
from graphprune.figures.density import layer_density
from graphprune.figures.graphs import neural_graph, no_regular_graph, regular_graph
from graphprune.figures.path_length import accuracy_against_aspl
from graphprune.figures.probabilities import keep_probabilities
from graphprune.figures.style import looks, save
from graphprune.figures.unit import unit_figure

__all__ = [
    "accuracy_against_aspl",
    "accuracy_against_compression",
    "cost_against_compression",
    "curvature_histogram",
    "keep_probabilities",
    "layer_density",
    "looks",
    "neural_graph",
    "no_regular_graph",
    "regular_graph",
    "removal_curves",
    "save",
    "scoring_cost",
    "unit_figure",
]
