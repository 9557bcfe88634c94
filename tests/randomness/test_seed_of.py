"""Seeds by name: stable, different for every name, independent of any order."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from graphprune.randomness import seed_of

NAMES = st.text("abcdefgh/_", min_size=1, max_size=20)


@given(st.integers(0, 2**64), NAMES, NAMES)
def test_a_seed_is_the_beginning_of_a_hash(seed, stage, of):
    digest = hashlib.sha256(f"{seed}\n{stage}\n{of}".encode()).hexdigest()
    assert seed_of(seed, stage, of) == int(digest[:8], 16) < 2**32


@given(st.sets(st.tuples(st.integers(0, 99), NAMES, NAMES), min_size=2, max_size=20))
def test_other_names_are_other_seeds(draws):
    assert len({seed_of(*names) for names in draws}) == len(draws)
