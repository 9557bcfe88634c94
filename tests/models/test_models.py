"""The networks: their shapes, their sizes as published, seeding."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from graphprune import models
from graphprune.models.sizes import count as cost
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
        ("mlp15", DIGITS),
        ("lenet5_tanh", MNIST),
        ("vgg9_tanh", CIFAR),
        ("vgg19_bn", CIFAR),
        ("conv2", MNIST),
        ("conv8", CIFAR),
        ("resnet8", CIFAR),
        ("wide_resnet32", CIFAR),
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


@pytest.mark.parametrize(
    ("name", "millions"), [("resnet20", 0.27), ("resnet32", 0.46), ("resnet56", 0.85)]
)
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


def parameters(name: str, shape: tuple[int, ...] = CIFAR, classes: int = 10) -> int:
    return sum(p.numel() for p in models.build(name, shape, classes).parameters())


def test_vgg19_bn_has_its_published_size() -> None:
    """20.04 M for CIFAR-10: Liu et al., arXiv 1708.06519, table 1."""
    convolutions = 9 * (3 * 64 + 64**2 + 64 * 128 + 128**2 + 128 * 256 + 3 * 256**2)
    convolutions += 9 * (256 * 512 + 7 * 512**2)
    channels = 2 * 64 + 2 * 128 + 4 * 256 + 8 * 512
    assert parameters("vgg19_bn") == convolutions + 2 * channels + 512 * 10 + 10
    assert round(parameters("vgg19_bn") / 1e6, 2) == 20.04


def test_wide_resnet32_is_that_of_probmask() -> None:
    """Widths 32, 64, 128; a 1x1 convolution with batch norm where the map is halved."""

    def stage(cin: int, width: int) -> int:
        shortcut = cin * width + 2 * width if cin != width else 0
        return 9 * (cin * width + 9 * width**2) + 10 * 2 * width + shortcut

    stem, last = 3 * 32 * 9 + 2 * 32, 128 * 10 + 10
    assert (
        parameters("wide_resnet32") == stem + stage(32, 32) + stage(32, 64) + stage(64, 128) + last
    )
    network = models.build("wide_resnet32", CIFAR, 10)
    strides = [
        m.stride for m in network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (1, 1)
    ]
    assert strides == [(2, 2), (2, 2)]


def test_resnet18_with_the_stem_for_cifar() -> None:
    """11 173 962, as in the implementation that most papers took over (pytorch-cifar)."""
    stem = 3 * 64 * 9 - 3 * 64 * 49
    assert parameters("resnet18_cifar") == 11_689_512 + stem - 513 * 990 == 11_173_962
    graph = trace(models.build("resnet18_cifar", CIFAR, 10), CIFAR).graph
    assert graph.layers[1].shape == (64, 32, 32)
    assert graph.layers[-2].shape == (512, 1, 1)


@pytest.mark.parametrize(
    ("name", "all_weights", "convolutions"),
    [
        # in thousands, as printed: arXiv 1803.03635, figure 2
        ("conv2", 4_300, 38),
        ("conv4", 2_400, 260),
        # that figure prints 1.7 M of all weights; the layers that it lists have 2.3 M
        ("conv6", 2_300, 1_100),
        ("conv8", 5_300, 4_700),
    ],
)
def test_networks_of_the_lottery_ticket(name: str, all_weights: int, convolutions: int) -> None:
    network = models.build(name, CIFAR, 10)
    found = sum(p.numel() for p in network.parameters() if p.ndim == 4)
    depth = int(name[-1])
    widths = [3, 64, 64, 128, 128, 256, 256, 512, 512][: depth + 1]
    by_hand = 9 * sum(a * b for a, b in pairwise(widths))
    features = widths[-1] * (32 // 2 ** (depth // 2)) ** 2
    assert found == by_hand
    assert weights(network) == by_hand + features * 256 + 256 * 256 + 2560
    for count, printed in ((weights(network), all_weights), (found, convolutions)):
        assert abs(count / 1000 - printed) < (50 if printed > 1000 else 5)


def test_networks_with_tanh_are_the_others_with_another_nonlinearity() -> None:
    for name, shape in (("lenet5", MNIST), ("vgg9", CIFAR)):
        plain, tanh = (models.build(one, shape, 10, seed=4) for one in (name, f"{name}_tanh"))
        kinds = {type(module) for module in tanh.modules()}
        assert nn.Tanh in kinds
        assert nn.ReLU not in kinds
        same, other = plain.state_dict(), tanh.state_dict()
        assert all(torch.equal(same[key], other[key]) for key in same | other)
    optional = models.build("lenet5", MNIST, 10, activation="tanh", seed=4)
    images = torch.rand(2, *MNIST)
    assert torch.equal(optional(images), models.build("lenet5_tanh", MNIST, 10, seed=4)(images))


def test_mlp15_has_fifteen_linear_layers() -> None:
    layers = [m for m in models.build("mlp15", CIFAR, 10).modules() if isinstance(m, nn.Linear)]
    assert [m.in_features for m in layers] == [3072] + 14 * [512]
    assert weights(models.build("mlp15", CIFAR, 10)) == 3072 * 512 + 13 * 512**2 + 5120


def test_resnet8_is_thin() -> None:
    """Widths 8, 16, 32 on maps of 32, 16 and 8 positions a side: 3.2 M multiplications."""
    by_hand = 9 * (3 * 8 + 2 * 8 * 8) * 32**2
    by_hand += 9 * (8 * 16 + 16 * 16) * 16**2 + 9 * (16 * 32 + 32 * 32) * 8**2 + 32 * 10
    network = models.build("resnet8", CIFAR, 10)
    assert cost(network, CIFAR).multiplications == by_hand <= 4_000_000


def test_seed() -> None:
    state = torch.random.get_rng_state()
    one, same, other = (models.build("lenet5", MNIST, 10, seed=s).state_dict() for s in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["conv1.weight"], other["conv1.weight"])
