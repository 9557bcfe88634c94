"""Seeds by name: stable, different for every name, independent of any order."""

import hashlib

import torch
from hypothesis import given
from hypothesis import strategies as st

from graphprune.models import networks
from graphprune.randomness import seed_of

NAMES = st.text("abcdefgh/_", min_size=1, max_size=20)


@given(st.integers(0, 2**64), NAMES, NAMES)
def test_a_seed_is_the_beginning_of_a_hash(seed, stage, of):
    digest = hashlib.sha256(f"{seed}\n{stage}\n{of}".encode()).hexdigest()
    assert seed_of(seed, stage, of) == int(digest[:8], 16) < 2**32


@given(st.sets(st.tuples(st.integers(0, 99), NAMES, NAMES), min_size=2, max_size=20))
def test_other_names_are_other_seeds(draws):
    assert len({seed_of(*names) for names in draws}) == len(draws)


def test_initial_weights_are_no_function_of_the_seed_that_scores_are_drawn_by():
    identity = networks.Identity("digits", "mlp", (1, 8, 8), 10, seed=0)
    weight = next(iter(identity.build().parameters())).detach().flatten()
    for seed in (0, seed_of(0, "score", "digits/mlp/random")):
        drawn = torch.rand(len(weight), generator=torch.Generator().manual_seed(seed))
        assert abs(torch.corrcoef(torch.stack([weight, drawn]))[0, 1]) < 0.1
