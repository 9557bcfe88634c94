"""The stratified split."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from graphprune.data.splits import stratified


@settings(max_examples=40, deadline=None)
@given(labels=st.lists(st.integers(0, 4), max_size=80), share=st.floats(0, 0.5))
def test_split_is_a_partition_with_every_class_in_its_share(
    labels: list[int], share: float
) -> None:
    array = np.array(labels, dtype=np.int64)
    parts = stratified(array, [share, share / 2])
    together = np.concatenate(parts)
    assert sorted(together) == list(range(len(labels)))
    for label in set(labels):
        total = labels.count(label)
        for part, wanted in zip(parts[:2], (share, share / 2), strict=True):
            assert abs(int((array[part] == label).sum()) - wanted * total) <= 0.5 + 1e-9


def test_split_by_hand() -> None:
    """The rule of the docstring, carried out example by example."""
    labels = np.array([0, 1] * 5)
    random = np.random.RandomState(0)
    part = [""] * 10
    seen = [0, 0]
    for index in random.permutation(10):
        rank = seen[labels[index]]
        seen[labels[index]] += 1
        # of five a class: floor(0.4 * 5 + 1/2) = 2, floor(0.2 * 5 + 1/2) = 1
        part[index] = "test" if rank < 2 else "validation" if rank < 3 else "train"
    order = random.permutation(10).tolist()
    expected = [[i for i in order if part[i] == name] for name in ("test", "validation", "train")]
    assert [found.tolist() for found in stratified(labels, [0.4, 0.2])] == expected
