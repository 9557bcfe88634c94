"""A network that computes with ProbMask's masked weights."""

import torch
from probmask_examples import examples, network

import graphprune
from graphprune.probmask.binding import Binding


def test_outputs_do_not_depend_on_weights_that_are_out() -> None:
    model = network().eval()
    x, _ = examples()
    binding = Binding(model)
    masks = graphprune.prune(graphprune.score(model, "random"), 0.7)
    flat = torch.cat([masks[name].flatten() for name in binding.names])
    weights = binding.weights.clone()
    torch.mul(weights, flat, out=binding.weights)
    before = model(x)
    weights[~flat] = 1e6
    torch.mul(weights, flat, out=binding.weights)
    assert torch.equal(model(x), before)
