"""The networks: their shapes, their sizes as published, seeding."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from graphprune import models
from graphprune.neural_graph import trace

CIFAR = (3, 32, 32)
MNIST = (1, 28, 28)
DIGITS = (1, 8, 8)


def weights(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters() if p.ndim > 1)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("mlp", DIGITS),
        ("mlp", MNIST),
        ("mlp", CIFAR),
        ("mlp5", DIGITS),
        ("lenet5", MNIST),
        ("lenet5", CIFAR),
        ("vgg9", CIFAR),
        ("vgg16_bn", CIFAR),
        ("resnet20", CIFAR),
        ("resnet20", MNIST),
    ],
)
def test_forward_and_trace(name: str, shape: tuple[int, ...]) -> None:
    model = models.build(name, shape, 7)
    assert model.training
    graph = trace(model, shape).graph
    assert graph.layers[-1].size == 7
    traced = {c.parameter for c in graph.connections} - {None}
    assert traced == {n for n, p in model.named_parameters() if p.ndim > 1}
    outputs = model.eval()(torch.rand(2, *shape))
    assert outputs.shape == (2, 7)
    assert torch.isfinite(outputs).all()


def test_lenet5_is_the_official_one() -> None:
    """128 040 edges on MNIST, vertices 784–864–256–120–84–10, as published with the method."""
    graph = trace(models.build("lenet5", MNIST, 10), MNIST).graph
    assert [layer.size for layer in graph.layers] == [784, 864, 256, 120, 84, 10]
    assert graph.edges == 128_040


def test_vgg9_is_the_official_one() -> None:
    """About 43 million edges on an image of CIFAR-10."""
    graph = trace(models.build("vgg9", CIFAR, 10), CIFAR).graph
    assert [layer.shape for layer in graph.layers] == [
        *((3, 32, 32), (64, 16, 16), (128, 14, 14), (128, 12, 12), (128, 5, 5)),
        *((256, 3, 3), (256, 1, 1), (512,), (128,), (10,)),
    ]
    assert graph.edges == 43_009_280


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("mlp", DIGITS, 64 * 128 + 128 * 64 + 64 * 10),
        ("mlp", MNIST, 784 * 300 + 300 * 100 + 100 * 10),
        ("mlp5", MNIST, 784 * 512 + 3 * 512 * 512 + 512 * 10),
        ("lenet5", MNIST, 6 * 36 + 16 * 6 * 36 + 256 * 120 + 120 * 84 + 84 * 10),
        ("resnet20", CIFAR, 432 + 6 * 2304 + 4608 + 5 * 9216 + 18432 + 5 * 36864 + 640),
    ],
)
def test_number_of_weights(name: str, shape: tuple[int, ...], expected: int) -> None:
    assert weights(models.build(name, shape, 10)) == expected


@pytest.mark.parametrize(("name", "millions"), [("resnet20", 0.27), ("resnet32", 0.46)])
def test_residual_networks_have_their_published_size(name: str, millions: float) -> None:
    count = sum(p.numel() for p in models.build(name, CIFAR, 10).parameters())
    assert round(count / 1e6, 2) == millions


def test_vgg16_bn_has_its_usual_size() -> None:
    count = sum(p.numel() for p in models.build("vgg16_bn", CIFAR, 10).parameters())
    assert round(count / 1e6, 1) == 14.7


def test_torchvision_networks() -> None:
    model = models.build("resnet18", CIFAR, 5)
    assert sum(p.numel() for p in model.parameters()) == 11_689_512 - 513 * 995
    graph = trace(model, CIFAR).graph
    assert graph.layers[-1].shape == (5,)
    # eight blocks, each an addition: three of them with a projected shortcut
    assert sum(len(graph.incoming(i)) == 2 for i in range(len(graph.layers))) == 8
    assert sum(c.parameter is None for c in graph.connections) == 5 + 2


def test_seed() -> None:
    state = torch.random.get_rng_state()
    one, same, other = (models.build("lenet5", MNIST, 10, seed=s).state_dict() for s in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["conv1.weight"], other["conv1.weight"])
