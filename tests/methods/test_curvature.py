"""Curvature scored in parts and gathered is curvature scored at once, bit by bit."""

import copy

import pytest
import torch
from torch import nn

from graphprune.errors import UserError
from graphprune.methods.curvature import Curvature, gather
from graphprune.models import networks


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return networks.Identity("mnist5k", "lenet5", (1, 28, 28), 10, 0).build()


@pytest.fixture(scope="module")
def inputs():
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(7, 1, 28, 28, generator=generator)
    return images * (images > 0.6)


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_gathered_parts_are_the_whole(model, inputs, parts):
    method = Curvature(threads=1)
    whole = method.run(model, inputs)
    joined = gather([method.run_part(model, inputs, part, parts) for part in range(parts)])
    assert list(joined.scores) == list(whole.scores)
    for name, scores in whole.scores.items():
        assert joined.scores[name].numpy().tobytes() == scores.numpy().tobytes()
    assert joined.report["examples"] == whole.report["examples"] == 7
    assert joined.report["edges"] == whole.report["edges"]
    assert joined.report["certified_error"] >= 0


def test_no_part_alone_is_the_whole(model, inputs):
    method = Curvature(threads=1)
    whole = method.run(model, inputs).scores
    for part in range(3):
        scores = method.run_part(model, inputs, part, 3).scores
        assert any(not torch.equal(scores[name], whole[name]) for name in whole)
        assert all((scores[name] <= whole[name]).all() for name in whole)


@pytest.mark.parametrize(("part", "parts"), [(0, 8), (2, 2), (-1, 3), (0, 0)])
def test_a_part_without_examples_is_refused(model, inputs, part, parts):
    with pytest.raises(UserError, match=rf"part is {part} of {parts}; .*calibration.parts"):
        Curvature().run_part(model, inputs, part, parts)


def test_missing_or_foreign_parts_are_refused(model, inputs):
    with pytest.raises(UserError, match="missing, or of different networks"):
        gather([])
    result = Curvature(threads=1).run_part(model, inputs, 0, 7)
    name = next(iter(result.scores))
    other = type(result)({key: s for key, s in result.scores.items() if key != name})
    with pytest.raises(UserError, match="missing, or of different networks"):
        gather([result, other])


@pytest.mark.parametrize("solver", ["exact", "reference"])
def test_a_weight_of_several_edges_takes_the_least_curvature(solver):
    """One layer used twice against two equal layers, each of which has edges of its own."""
    torch.manual_seed(3)
    shared, last = nn.Linear(4, 4), nn.Linear(4, 3)
    once = nn.Sequential(shared, nn.ReLU(), shared, nn.ReLU(), last).double()
    twice = nn.Sequential(shared, nn.ReLU(), copy.deepcopy(shared), nn.ReLU(), last).double()
    inputs = torch.rand(5, 4, dtype=torch.float64)
    method = Curvature(threads=1, solver=solver)
    found, apart = method.run(once, inputs).scores, method.run(twice, inputs).scores
    assert list(found) == ["0.weight", "4.weight"]
    first, second = apart["0.weight"], apart["2.weight"]
    assert (first > second).any()
    assert (first < second).any()
    # importance is minus the curvature: the least of the two is the larger importance
    torch.testing.assert_close(found["0.weight"], torch.maximum(first, second))
    torch.testing.assert_close(found["4.weight"], apart["4.weight"])
    # and so over the examples
    alone = [method.run(once, inputs[[place]]).scores for place in range(5)]
    for name, scores in found.items():
        torch.testing.assert_close(scores, torch.stack([one[name] for one in alone]).amax(0))
