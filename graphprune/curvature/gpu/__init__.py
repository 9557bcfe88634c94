"""Certified intervals of curvature for thousands of edges at once, in torch.

``parameters`` makes batches of the base problems of a network; ``intervals`` bounds the edges of
one batch.
"""
