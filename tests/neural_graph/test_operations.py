"""Convolutions and pooling of every setting in the neural graph."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from graph_checks import check, sums, without_bias
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from graphprune.errors import UserError
from graphprune.neural_graph import trace
from graphprune.neural_graph.edges import write_out


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
