"""Regular graphs of short average path length, and their mapping to network layers."""

from graphprune.regular_graphs.bounds import degrees, moore_bound
from graphprune.regular_graphs.generation import random_regular_graph
from graphprune.regular_graphs.measures import Description, aspl, describe, distances
from graphprune.regular_graphs.search import regular_graph

__all__ = [
    "Description",
    "aspl",
    "degrees",
    "describe",
    "distances",
    "moore_bound",
    "random_regular_graph",
    "regular_graph",
]
