"""The stratified split: which example is for training, which for validation, which for the test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SEED = 0


def stratified(labels: NDArray[np.int64], shares: Sequence[float]) -> list[NDArray[np.intp]]:
    """Indices of the examples, divided so that every part has its share of every class.

    Two permutations of ``range(n)``, drawn one after the other from ``RandomState(0)``, decide
    everything (numpy guarantees that stream for ever). The first orders the members of each class:
    part i gets the next ``floor(shares[i] * size of the class + 1/2)`` of them, and the last part
    gets the rest. The second permutation is the order within the parts.

    Parameters
    ----------
    labels : (n,) integers.
    shares : share of each part but the last, in [0, 1], together at most 1.

    Returns
    -------
    ``len(shares) + 1`` index arrays, disjoint, together all of ``range(n)``, each in random
    order, so that a prefix of a part is a sample of it.

    >>> [len(part) for part in stratified(np.zeros(10, dtype=np.int64), [0.2, 0.1])]
    [2, 1, 7]
    """
    random = np.random.RandomState(SEED)
    order = random.permutation(len(labels))
    arrangement = random.permutation(len(labels))
    part = np.full(len(labels), len(shares))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        start = 0
        for i, share in enumerate(shares):
            end = start + int(np.floor(share * len(members) + 0.5))
            part[members[start:end]] = i
            start = end
    return [arrangement[part[arrangement] == i] for i in range(len(shares) + 1)]
