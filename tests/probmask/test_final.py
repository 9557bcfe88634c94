"""The final masks and their network, and how decided the probabilities are."""

import numpy as np
import pytest
import torch
from probmask_examples import QUICK, examples, network

import graphprune
from graphprune.probmask.final import decidedness, finish
from graphprune.probmask.trainer import train


def test_batch_norm_statistics_are_those_of_the_masked_network() -> None:
    x, y = examples()
    trained = train(network(), x, y, QUICK)
    final = finish(trained, x, y)
    model = network()
    model.load_state_dict(final.weights)
    graphprune.apply(model, final.masks)
    seen = model[0](x)
    torch.testing.assert_close(model[1].running_mean, seen.mean((0, 2, 3)))
    torch.testing.assert_close(model[1].running_var, seen.var((0, 2, 3)))
    assert all(
        torch.equal(m, graphprune.prune(final.scores, 0.8)[n]) for n, m in final.masks.items()
    )
    assert final.report["epochs_trained"] == QUICK.epochs


def test_report_of_how_decided_the_probabilities_are() -> None:
    found = decidedness(torch.tensor([0.0, 1.0, 0.5, 0.25]))
    by_hand = (1.0 + 0.25 * 2 + 0.75 * np.log2(4 / 3)) / 4
    assert found["entropy_mean"] == pytest.approx(by_hand)
    assert found["share_undecided"] == 0.5
    histogram = [found[f"probability_histogram_{i}"] for i in range(10)]
    assert histogram == pytest.approx([0.25, 0, 0.25, 0, 0, 0.25, 0, 0, 0, 0.25])
