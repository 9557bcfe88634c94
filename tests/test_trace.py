"""From modules to the neural graph: the graph must compute what the network computes."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from graphprune.errors import UserError
from graphprune.neural_graph import NeuralGraph, trace
from graphprune.neural_graph.edges import write_out

torch.set_num_threads(1)  # tiny tensors: more threads only wait for one another


def sums(graph: NeuralGraph, activations: list[np.ndarray], layer: int) -> np.ndarray:
    """Σ weight · source activation over the edges into ``layer``, for each example."""
    edges = write_out(graph)
    everything = np.concatenate(activations, axis=1)
    first = sum(x.size for x in graph.layers[:layer])
    size = graph.layers[layer].size
    into = (edges.target >= first) & (edges.target < first + size)
    out = np.zeros((len(everything), size))
    for example, row in zip(out, everything, strict=True):
        np.add.at(example, edges.target[into] - first, edges.weight[into] * row[edges.source[into]])
    return out


def without_bias(model: nn.Module, seed: int = 0) -> nn.Module:
    """float64, random weights, no offsets: then a layer is its nonlinearity of a weighted sum."""
    generator = torch.Generator().manual_seed(seed)
    model = model.double().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            random = torch.randn(parameter.shape, generator=generator).double()
            parameter.copy_(random * (0 if name.endswith("bias") else 1))
        for name, buffer in model.named_buffers():
            if name.endswith("running_var"):
                buffer.copy_(torch.rand(buffer.shape, generator=generator) + 0.5)
    return model


def check(model: nn.Module, shape: tuple[int, ...], nonlinear: dict[str, object]) -> NeuralGraph:
    """Each layer equals its nonlinearity (none unless named) of the sum over its edges."""
    model = without_bias(model)
    traced = trace(model, shape, fold_batchnorm=True)
    inputs = torch.randn(2, *shape).double()
    raw = [a.numpy() for a in traced.activations(inputs)]
    assert np.array_equal(raw[0], inputs.flatten(1).numpy())
    expected = model(inputs).detach().flatten(1).numpy()
    np.testing.assert_allclose(raw[-1], expected, atol=1e-12)
    for index, layer in enumerate(traced.graph.layers[1:], start=1):
        total = torch.from_numpy(sums(traced.graph, raw, index))
        function = nonlinear.get(layer.name, lambda z: z)
        np.testing.assert_allclose(raw[index], function(total).numpy(), atol=1e-10)
    unused = set(nonlinear) - {layer.name for layer in traced.graph.layers}
    assert not unused
    return traced.graph


class TestConvolution:
    @given(
        groups=st.sampled_from([1, 2]),
        kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
        stride=st.tuples(st.integers(1, 3), st.integers(1, 2)),
        padding=st.one_of(st.tuples(st.integers(0, 2), st.integers(0, 2)), st.just("valid")),
        dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    )
    @settings(max_examples=30, deadline=None)
    def test_every_setting(self, groups, kernel, stride, padding, dilation) -> None:
        conv = nn.Conv2d(2, 4, kernel, stride, padding, dilation, groups)
        width = conv(torch.zeros(1, 2, 5, 6)).flatten(1).shape[1]
        model = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), nn.Linear(width, 2))
        graph = check(model, (2, 5, 6), {"1": torch.relu})
        assert [c.parameter for c in graph.connections] == ["0.weight", "3.weight"]
        assert graph.connections[0].parameter_shape == tuple(conv.weight.shape)
        reshaped = graph.connections[0].weight.reshape(conv.weight.shape)
        assert np.array_equal(reshaped, conv.weight.detach().numpy())

    @pytest.mark.parametrize("kernel", [2, 3])
    def test_same_padding(self, kernel: int) -> None:
        conv = nn.Conv2d(1, 2, kernel, padding="same", dilation=2)
        model = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), nn.Linear(32, 2))
        check(model, (1, 4, 4), {"1": torch.relu})

    def test_one_and_three_dimensions(self) -> None:
        one = nn.Sequential(
            nn.Conv1d(2, 3, 3, 2, 1), nn.ReLU(), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(6, 2)
        )
        check(one, (2, 8), {"1": torch.relu})
        three = nn.Sequential(nn.Conv3d(1, 2, 2, (1, 2, 1)), nn.ReLU(), nn.Flatten())
        check(nn.Sequential(three, nn.Linear(16, 2)), (1, 3, 4, 3), {"0.1": torch.relu})

    def test_padding_mode_is_refused(self) -> None:
        model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"))
        with pytest.raises(UserError, match=r"0 \(Conv2d\) has padding_mode 'circular'"):
            trace(model, (1, 4, 4))


class TestPooling:
    POOLS = (
        nn.AvgPool2d(2),
        nn.AvgPool2d(3, 2, 1),
        nn.AvgPool2d(3, 2, 1, count_include_pad=False),
        nn.AvgPool2d(2, 2, 0, ceil_mode=True),
        nn.AvgPool2d(3, 2, 1, ceil_mode=True),
        nn.AvgPool2d((2, 3), (1, 2), divisor_override=5),
        nn.AdaptiveAvgPool2d(1),
        nn.AdaptiveAvgPool2d((2, 3)),
        nn.AdaptiveAvgPool2d((7, None)),
    )

    @pytest.mark.parametrize("pool", POOLS, ids=str)
    def test_average(self, pool: nn.Module) -> None:
        width = pool(torch.zeros(1, 2, 5, 5)).flatten(1).shape[1]
        model = nn.Sequential(
            nn.Conv2d(1, 2, 1), nn.ReLU(), pool, nn.Flatten(), nn.Linear(width, 2)
        )
        graph = check(model, (1, 5, 5), {"1": torch.relu})
        assert graph.connections[1].parameter is None

    @pytest.mark.parametrize(
        "pool",
        [
            nn.MaxPool2d(2),
            nn.MaxPool2d(3, 2, 1),
            nn.MaxPool2d((2, 1), stride=(1, 2), ceil_mode=True),
            nn.MaxPool2d(2, dilation=2),
            nn.AdaptiveMaxPool2d((2, 3)),
        ],
        ids=str,
    )
    def test_maximum(self, pool: nn.Module) -> None:
        width = pool(torch.zeros(1, 2, 5, 5)).flatten(1).shape[1]
        model = nn.Sequential(
            nn.Conv2d(1, 2, 1), nn.Tanh(), pool, nn.Flatten(), nn.Linear(width, 2)
        )
        traced = trace(model, (1, 5, 5))
        assert [layer.name for layer in traced.graph.layers] == ["input", "1", "2", "4"]
        raw = [a[0].numpy() for a in traced.activations(torch.randn(1, 1, 5, 5))]
        connection = traced.graph.connections[1]
        assert (connection.weight == 1).all()
        best = np.full(len(raw[2]), -np.inf)
        edges = write_out(traced.graph)
        mine = edges.connection == 1
        first = [0, 25, 75]
        np.maximum.at(best, edges.target[mine] - first[2], raw[1][edges.source[mine] - first[1]])
        assert np.array_equal(best, raw[2])

    def test_as_functions(self) -> None:
        class Model(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv = nn.Conv2d(1, 2, 2)
                self.fc = nn.Linear(2, 3)

            def forward(self, x: Tensor) -> Tensor:
                x = functional.leaky_relu(self.conv(x), 0.1)
                x = functional.avg_pool2d(x, 2, stride=1, padding=1, count_include_pad=False)
                x = functional.adaptive_avg_pool2d(x, (3, 2))
                x = x.mean((2, 3))
                x = functional.dropout(x, 0.5, self.training)
                return functional.log_softmax(self.fc(x), dim=1)

        model = without_bias(Model())
        traced = trace(model, (1, 6, 6))
        names = [layer.name for layer in traced.graph.layers]
        assert names == ["input", "leaky_relu", "avg_pool2d", "adaptive_avg_pool2d", "mean", "fc"]
        inputs = torch.randn(2, 1, 6, 6).double()
        raw = traced.activations(inputs)
        as_numpy = [a.numpy() for a in raw]
        for index in (2, 3, 4, 5):
            found = sums(traced.graph, as_numpy, index)
            np.testing.assert_allclose(found, as_numpy[index], atol=1e-12)
        # the logits, not the log-probabilities, are the output layer
        torch.testing.assert_close(raw[-1].log_softmax(1), model(inputs).detach())

    def test_maximum_as_a_function(self) -> None:
        class Model(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.fc = nn.Linear(4, 2)

            def forward(self, x: Tensor) -> Tensor:
                x = functional.max_pool2d(x, kernel_size=2, stride=1)
                return self.fc(torch.max_pool2d(x, 2).reshape(x.shape[0], -1))

        graph = trace(Model(), (1, 6, 6)).graph
        assert [layer.shape for layer in graph.layers] == [(1, 6, 6), (1, 5, 5), (1, 2, 2), (2,)]
        assert [c.edges for c in graph.connections] == [100, 16, 8]

    def test_indices_are_refused(self) -> None:
        pool = nn.MaxPool2d(2, return_indices=True)
        with pytest.raises(UserError, match=r"operation 1 \(MaxPool2d\) is not supported"):
            trace(nn.Sequential(nn.Conv2d(1, 2, 1), pool), (1, 2, 2))

    def test_other_means_are_refused(self) -> None:
        class Mean(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x.mean(1).flatten(1)

        with pytest.raises(UserError, match="operation mean in 1 is not supported"):
            trace(nn.Sequential(nn.Conv2d(1, 2, 1), Mean()), (1, 2, 2))


class Residual(nn.Module):
    """Pre-activation block, projected and plain shortcut, channels padded with zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(2)
        self.conv1 = nn.Conv2d(2, 2, 3, padding=1)
        self.project = nn.Conv2d(2, 4, 1, stride=2)
        self.conv2 = nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.bn2 = nn.BatchNorm2d(4)
        self.fc = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.conv1(torch.relu(self.bn1(x)))
        x = torch.add(self.project(x), self.bn2(self.conv2(x))).relu()
        x = functional.pad(x, (0, 0, 0, 0, 1, 1))
        return self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))


def test_residual_additions() -> None:
    graph = check(Residual(), (1, 4, 4), {"relu": torch.relu, "relu:2": torch.relu})
    assert [(layer.name, layer.shape) for layer in graph.layers] == [
        ("input", (1, 4, 4)),
        ("stem", (2, 4, 4)),  # used twice, so a layer of its own
        ("relu", (2, 4, 4)),
        ("add", (2, 4, 4)),  # used twice
        ("relu:2", (4, 2, 2)),  # both branches feed it directly
        ("pad", (6, 2, 2)),
        ("adaptive_avg_pool2d", (6, 1, 1)),
        ("fc", (3,)),
    ]
    links = [(c.source, c.target, c.parameter) for c in graph.connections]
    assert links == [
        (0, 1, "stem.weight"),
        (1, 2, None),  # batch norm between two layers: its scale as weight
        (1, 3, None),
        (2, 3, "conv1.weight"),
        (3, 4, "project.weight"),
        (3, 4, "conv2.weight"),
        (4, 5, None),
        (5, 6, None),
        (6, 7, "fc.weight"),
    ]
    assert (graph.connections[2].weight == 1).all()


def test_concatenations() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left = nn.Conv2d(1, 2, 1)
            self.right = nn.Conv2d(1, 3, 1)
            self.norm = nn.BatchNorm2d(5)
            self.more = nn.Conv2d(5, 2, 1)
            self.fc = nn.Linear(7 * 4 + 7, 2)

        def forward(self, x: Tensor) -> Tensor:
            y = torch.relu(self.norm(torch.cat([self.left(x), self.right(x)], 1)))
            y = torch.cat((torch.tanh(self.more(y)), y), dim=1)
            pool = functional.avg_pool2d(y, 2).flatten(1)
            return self.fc(torch.cat([y.flatten(1), pool], 1))

    graph = check(Model(), (1, 2, 2), {"relu": torch.relu, "tanh": torch.tanh})
    layers = [(layer.name, layer.shape) for layer in graph.layers]
    assert layers == [
        ("input", (1, 2, 2)),
        ("relu", (5, 2, 2)),
        ("tanh", (2, 2, 2)),
        ("cat", (7, 2, 2)),
        ("cat:2", (35,)),
        ("fc", (2,)),
    ]
    first, second = graph.connections[:2]
    assert (first.parameter, first.target_channel) == ("left.weight", 0)
    assert (second.parameter, second.target_channel) == ("right.weight", 2)


@pytest.mark.parametrize(
    "module",
    [
        nn.ReLU(),
        nn.LeakyReLU(0.2),
        nn.GELU(),
        nn.Tanh(),
        nn.Sigmoid(),
        nn.ReLU6(),
        nn.SiLU(),
        nn.ELU(),
        nn.Hardswish(),
    ],
    ids=lambda module: type(module).__name__,
)
def test_nonlinearities(module: nn.Module) -> None:
    model = nn.Sequential(nn.Linear(3, 4), copy.deepcopy(module), nn.Dropout(), nn.Linear(4, 2))
    check(model, (3,), {"1": module})


class TestBatchNorm:
    MODEL = nn.Sequential(
        nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)
    )

    def test_folded(self) -> None:
        check(copy.deepcopy(self.MODEL), (1, 3, 3), {"2": torch.relu})

    def test_left_alone_by_default(self) -> None:
        model = without_bias(copy.deepcopy(self.MODEL))
        weight = trace(model, (1, 3, 3)).graph.connections[0].weight
        assert np.array_equal(weight.reshape(2, 1, 2, 2), model[0].weight.detach().numpy())

    def test_after_linear_layers_and_on_flat_maps(self) -> None:
        model = nn.Sequential(
            nn.Conv2d(1, 2, 1),
            nn.Flatten(),
            nn.BatchNorm1d(8),
            nn.Linear(8, 3),
            nn.BatchNorm1d(3),
            nn.ReLU(),
            nn.Linear(3, 2),
        )
        graph = check(model, (1, 2, 2), {"5": torch.relu})
        assert [layer.name for layer in graph.layers] == ["input", "0", "2", "5", "6"]

    def test_after_the_nonlinearity_makes_a_layer(self) -> None:
        model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.BatchNorm1d(3), nn.Linear(3, 2))
        graph = check(model, (2,), {"1": torch.relu})
        assert [layer.name for layer in graph.layers] == ["input", "1", "2", "3"]


def test_model_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(), nn.Linear(2, 2))
    model[1].eval()
    before = copy.deepcopy(model.state_dict())
    inputs = torch.rand(3, 2)
    state = torch.random.get_rng_state()
    trace(model, (2,)).activations(inputs)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [m.training for m in model] == [True, False, True, True]
    assert model.training
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())


def test_in_place_operations_do_not_reach_back() -> None:
    """The layer before an in-place nonlinearity is read before it is overwritten."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.ReLU(inplace=True), nn.Linear(4, 2))
    raw = trace(model, (3,)).activations(torch.randn(8, 3))
    assert (raw[1] < 0).any()
    assert torch.equal(raw[1].clamp(min=0), raw[2])


def test_a_bare_linear_layer() -> None:
    graph = trace(nn.Linear(3, 2), (3,)).graph
    assert [(c.parameter, c.edges) for c in graph.connections] == [("weight", 6)]
    assert [layer.role for layer in graph.layers] == ["input", "output"]


def test_shared_layers_keep_one_name() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(3, 3)
            self.b = nn.Linear(3, 3)
            self.b.weight = self.a.weight
            self.c = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.a(torch.relu(self.a(x))))
            return self.c(torch.relu(self.b(x)))

    graph = trace(Twice(), (3,)).graph
    assert [c.parameter for c in graph.connections] == ["a.weight"] * 3 + ["c.weight"]
