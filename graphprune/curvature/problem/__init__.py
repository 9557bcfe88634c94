"""The transport problems of one connection: supports, distances and the arrays that hold them.

``build`` is called first. It asks ``supports`` for p and q, ``distances`` for the shortest paths,
and puts both into ``arrays``. The compiled loops read single distances with ``lookup``.
"""
