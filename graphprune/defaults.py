"""Defaults that a key of the configuration and a function share, known without an import."""

# idleness α of neural curvature
ALPHA = 0.9
# a neural graph with more edges is described and not written out edge by edge
MAX_EDGES = 200_000
# timed forward passes of each network
REPEATS = 30
# minutes between two writings of a training that is not finished
CHECKPOINT_MINUTES = 10.0
