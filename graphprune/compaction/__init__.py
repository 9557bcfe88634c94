"""Pruned networks made small and fast: ``graphprune.compact``."""

from graphprune.compaction.build import LAYOUTS, compact, layouts_of
from graphprune.compaction.cost import Latencies, Savings, savings
from graphprune.compaction.measure import file_size, latencies, latency

__all__ = [
    "LAYOUTS",
    "Latencies",
    "Savings",
    "compact",
    "file_size",
    "latencies",
    "latency",
    "layouts_of",
    "savings",
]
