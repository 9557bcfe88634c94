"""Regular graphs of short average path length, and their mapping to network layers."""

from graphprune.regular_graphs.bounds import degrees, moore_bound
from graphprune.regular_graphs.experiment import (
    Correlation,
    aspl_accuracy_correlation,
    graphs_across_aspl,
)
from graphprune.regular_graphs.generation import random_regular_graph
from graphprune.regular_graphs.measures import Description, aspl, describe, distances
from graphprune.regular_graphs.search import regular_graph

__all__ = [
    "Correlation",
    "Description",
    "aspl",
    "aspl_accuracy_correlation",
    "degrees",
    "describe",
    "distances",
    "graphs_across_aspl",
    "moore_bound",
    "random_regular_graph",
    "regular_graph",
]
