"""SGD and Adam against PyTorch's own."""

import pytest
import torch
from two_blobs import network

from graphprune.training import optimizers


@pytest.mark.parametrize(
    ("own", "theirs"),
    [
        (
            lambda p: optimizers.SGD(p, momentum=0.9, weight_decay=0.01),
            lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01),
        ),
        (
            lambda p: optimizers.SGD(p, momentum=0.9, weight_decay=0.01, nesterov=True),
            lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
        ),
        (
            lambda p: optimizers.Adam(p, weight_decay=0.01),
            lambda p: torch.optim.Adam(p, 0.1, weight_decay=0.01),
        ),
    ],
)
def test_optimizers_give_the_bits_of_torch(own, theirs):
    models = [network(), network()]
    first = own(models[0].parameters())
    second = theirs(models[1].parameters())
    generator = torch.Generator().manual_seed(0)
    for step in range(5):
        images = torch.randn(8, 1, 1, 2, generator=generator)
        for model in models:
            # the last layer has no gradient in the second step
            (model[:2] if step == 1 else model)(images).square().sum().backward()
        first.step(0.1)
        second.step()
        first.zero_grad()
        second.zero_grad()
    for mine, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_parameters_without_decay_are_a_group_of_torch(kind):
    models = [network(), network()]
    own = {"sgd": optimizers.SGD, "adam": optimizers.Adam}[kind]
    first = own(models[0].parameters(), weight_decay=0.3,
                without_decay=[models[0][1].bias, models[0][3].weight])  # fmt: skip
    groups = [
        {"params": [models[1][1].weight, models[1][3].bias]},
        {"params": [models[1][1].bias, models[1][3].weight], "weight_decay": 0.0},
    ]
    theirs = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[kind]
    second = theirs(groups, 0.1, weight_decay=0.3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        images = torch.randn(8, 1, 1, 2, generator=generator)
        for model, optimizer in zip(models, (first, second), strict=True):
            optimizer.zero_grad()
            model(images).square().sum().backward()
        first.step(0.1)
        second.step()
    for mine, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_a_state_that_was_restored_goes_on_alike(kind):
    """Also where a parameter had no gradient yet, and where its channels lie last."""
    filters = torch.randn(2, 3, 2, 2).contiguous(memory_format=torch.channels_last)
    own = {"sgd": lambda p: optimizers.SGD(p, 0.9), "adam": optimizers.Adam}[kind]
    whole, cut = ([filters.clone().requires_grad_(), torch.ones(2).requires_grad_()] for _ in "ab")
    first, second = own(whole), own(cut)
    for step in range(4):
        if step == 2:
            kept = {name: t.contiguous().clone() for name, t in second.state().items()}
            second = own(cut)
            second.restore(kept)
        for parameters, optimizer in ((whole, first), (cut, second)):
            optimizer.zero_grad()
            for parameter in parameters[: 1 + (step > 2)]:
                parameter.grad = torch.full_like(parameter, 0.5 + step)
            optimizer.step(0.1)
    for left, right in zip(whole, cut, strict=True):
        assert torch.equal(left, right)
        assert left.stride() == right.stride()
    assert [t.stride() for t in first.state().values()] == [
        t.stride() for t in second.state().values()
    ]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_defaults_and_fused_updates_are_those_of_torch(kind, fused):
    """A rate of its own each step, and a parameter whose gradient is there every other step."""
    start = [torch.randn(4, 3), torch.randn(5)]
    mine, theirs = ([p.clone().requires_grad_() for p in start] for _ in range(2))
    own = {"sgd": optimizers.SGD, "adam": optimizers.Adam}[kind](mine, fused=fused)
    other = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[kind](theirs, fused=fused)
    for step in range(6):
        gradients = [torch.randn(p.shape) for p in start]
        for parameters, optimizer in ((mine, own), (theirs, other)):
            optimizer.zero_grad()
            assert all(p.grad is None for p in parameters)
            for index, parameter in enumerate(parameters[: 1 + step % 2]):
                parameter.grad = gradients[index].clone()
        rate = 0.1 / (step + 1)
        own.step(rate)
        other.param_groups[0]["lr"] = rate
        other.step()
        for left, right in zip(mine, theirs, strict=True):
            assert torch.equal(left, right)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_torch_is_asked_for_the_fused_update_where_it_is_wanted(monkeypatch, kind, fused):
    asked = []
    monkeypatch.setattr(optimizers, kind, lambda *_, **options: asked.append(options["fused"]))
    parameter = torch.ones(2, requires_grad=True)
    parameter.grad = torch.ones(2)
    {"sgd": optimizers.SGD, "adam": optimizers.Adam}[kind]([parameter], fused=fused).step(0.1)
    # None lets torch choose among the others, False would not
    assert asked == [True if fused else None]
