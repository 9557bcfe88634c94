"""The two passes over the edges of a connection.

``driver`` runs them. The first, ``bound``, solves each base problem once and settles or bounds its
edges with the tests of ``certificates``. The second, ``solve``, solves the open edges that the
driver chooses. ``bundle`` loads the vertices, masses and distances that both need. All but the
driver is compiled with numba.
"""
