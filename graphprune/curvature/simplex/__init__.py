"""The network simplex that solves one transport problem, compiled with numba.

``solver`` solves a base problem, and from its optimum an edge problem. ``spanning_tree`` holds the
tree that the pivots change.
"""
