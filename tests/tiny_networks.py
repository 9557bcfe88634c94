"""Tiny float64 networks that cover every kind of operation, with their graphs made by hand."""

from __future__ import annotations

from collections.abc import Callable

import torch
from brute_force import Network
from torch import Tensor, nn

torch.set_num_threads(1)  # tiny tensors: more threads only wait for one another


def _random(module: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator).double())


def chain_mlp(seed: int) -> tuple[nn.Module, Callable[[Tensor], Network], tuple[int, ...]]:
    """Linear layers; some weights are 0, two layers use different nonlinearities."""
    model = nn.Sequential(
        nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3)
    ).double()
    _random(model, seed)
    with torch.no_grad():
        model[0].weight[0, 1] = 0.0
        model[2].weight[1, :] = 0.0
        model[2].weight[1, 2] = 0.5

    def by_hand(x: Tensor) -> Network:
        network = Network()
        network.add_layer("input", x)
        h = torch.relu(model[0](x))
        network.add_layer("h", h)
        g = torch.tanh(model[2](h))
        network.add_layer("g", g)
        network.add_layer("y", torch.softmax(model[4](g), 0))
        network.connect_learned("input", "h", "0.weight", model[0], x)
        network.connect_learned("h", "g", "2.weight", model[2], h)
        network.connect_learned("g", "y", "4.weight", model[4], g)
        return network

    return model, by_hand, (4,)


class _Convolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2)
        self.norm = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 2, 2, dilation=1)
        self.pool = nn.MaxPool2d(2, stride=1, padding=1)
        self.fc = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.conv1(x)))
        x = nn.functional.gelu(self.conv2(x))
        return self.fc(self.pool(x).flatten(1))


def convolutions(seed: int) -> tuple[nn.Module, Callable[[Tensor], Network], tuple[int, ...]]:
    """Grouped, strided, padded convolution with batch norm, convolution, padded max pooling."""
    model = _Convolutions().double()
    _random(model, seed)
    model.eval()

    def by_hand(x: Tensor) -> Network:
        network = Network()
        x = x[None]
        network.add_layer("input", x.flatten())
        a = torch.relu(model.norm(model.conv1(x)))
        network.add_layer("a", a.flatten())
        b = nn.functional.gelu(model.conv2(a))
        network.add_layer("b", b.flatten())
        c = model.pool(b)
        network.add_layer("c", c.flatten())
        network.add_layer("y", torch.softmax(model.fc(c.flatten(1)), 1).flatten())
        network.connect_learned("input", "a", "conv1.weight", model.conv1, x)
        network.connect_learned("a", "b", "conv2.weight", model.conv2, a)
        network.connect_max("b", "c", model.pool, tuple(b.shape[1:]))
        network.connect_learned("c", "y", "fc.weight", model.fc, c.flatten(1))
        return network

    return model, by_hand, (2, 3, 3)


def _leaky(x: Tensor) -> Tensor:
    return nn.functional.leaky_relu(x, 0.2)


class _Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 2)
        self.conv1 = nn.Conv2d(2, 2, 3, padding=1)
        self.conv2 = nn.Conv2d(2, 2, 3, padding=1)
        self.conv3 = nn.Conv2d(2, 2, 1)
        self.fc = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = _leaky(self.stem(x))
        x = _leaky(self.conv2(_leaky(self.conv1(x))) + x)
        x = _leaky(self.conv3(x) + x)  # edges beside edges between the same vertices
        return self.fc(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


def residual(seed: int) -> tuple[nn.Module, Callable[[Tensor], Network], tuple[int, ...]]:
    """A residual block, a block whose shortcut runs beside its only convolution, mean pooling."""
    model = _Residual().double()
    _random(model, seed)

    def by_hand(x: Tensor) -> Network:
        network = Network()
        x = x[None]
        a = _leaky(model.stem(x))
        b = _leaky(model.conv1(a))
        c = _leaky(model.conv2(b) + a)
        d = _leaky(model.conv3(c) + c)
        e = d.mean((2, 3))
        y = torch.softmax(model.fc(e), 1)
        for name, value in zip(["input", *"abcdey"], (x, a, b, c, d, e, y), strict=True):
            network.add_layer(name, value.flatten())
        network.connect_learned("input", "a", "stem.weight", model.stem, x)
        network.connect_learned("a", "b", "conv1.weight", model.conv1, a)
        network.connect_learned("b", "c", "conv2.weight", model.conv2, b)
        network.connect("a", "c", torch.clone, a)
        network.connect_learned("c", "d", "conv3.weight", model.conv3, c)
        network.connect("c", "d", torch.clone, c)
        network.connect("d", "e", lambda z: z.mean((2, 3)), d)
        network.connect_learned("e", "y", "fc.weight", model.fc, e)
        return network

    return model, by_hand, (1, 2, 3)


class _Concatenation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Conv1d(1, 2, 2)
        self.right = nn.Conv1d(1, 1, 2)
        self.pool = nn.AvgPool1d(2, stride=1, padding=1)
        self.last = nn.Conv1d(4, 1, 2)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        left, right = torch.relu(self.left(x)), torch.tanh(self.right(x))
        x = torch.cat([left, right, right], dim=1)
        return self.fc(self.pool(torch.sigmoid(self.last(x))).flatten(1))


def concatenation(seed: int) -> tuple[nn.Module, Callable[[Tensor], Network], tuple[int, ...]]:
    """Layers joined by concatenation, one of them twice; padded average pooling; one dimension."""
    model = _Concatenation().double()
    _random(model, seed)

    def by_hand(x: Tensor) -> Network:
        network = Network()
        x = x[None]
        left, right = torch.relu(model.left(x)), torch.tanh(model.right(x))
        joined = torch.cat([left, right, right], dim=1)
        a = torch.sigmoid(model.last(joined))
        b = model.pool(a)
        y = torch.softmax(model.fc(b.flatten(1)), 1)
        names = ["input", "left", "right", "joined", "a", "b", "y"]
        for name, value in zip(names, (x, left, right, joined, a, b, y), strict=True):
            network.add_layer(name, value.flatten())
        network.connect_learned("input", "left", "left.weight", model.left, x)
        network.connect_learned("input", "right", "right.weight", model.right, x)
        network.connect("left", "joined", lambda z: torch.cat([z, 0 * right, 0 * right], 1), left)
        network.connect("right", "joined", lambda z: torch.cat([0 * left, z, z], 1), right)
        network.connect_learned("joined", "a", "last.weight", model.last, joined)
        network.connect("a", "b", model.pool, a)
        network.connect_learned("b", "y", "fc.weight", model.fc, b.flatten(1))
        return network

    return model, by_hand, (1, 5)


NETWORKS = {
    "mlp": chain_mlp,
    "convolutions": convolutions,
    "residual": residual,
    "concatenation": concatenation,
}
