"""Vertex values: activations scaled by layer and example."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from graphprune.errors import UserError
from graphprune.neural_graph import trace, values


class TestValues:
    def test_scaled_by_layer_and_example(self) -> None:
        model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)).double()
        inputs = torch.tensor([[-2.0, 1.0], [0.0, 0.5]]).double()
        found = values(trace(model, (2,)), inputs)
        assert found[0].tolist() == [[1.0, 0.0], [0.0, 1.0]]
        hidden = torch.tanh(model[0](inputs)).abs().detach().numpy()
        low, high = hidden.min(1, keepdims=True), hidden.max(1, keepdims=True)
        np.testing.assert_allclose(found[1], (hidden - low) / (high - low), atol=1e-15)
        probability = torch.softmax(model(inputs), 1).detach().numpy()
        assert np.array_equal(found[2].argmax(1), probability.argmax(1))
        assert [v.dtype for v in found] == [np.float64] * 3
        assert [(v.min(), v.max()) for v in found] == [(0.0, 1.0)] * 3

    def test_output_is_scaled_after_the_softmax(self) -> None:
        model = nn.Linear(3, 3, bias=False).double()
        with torch.no_grad():
            model.weight.copy_(torch.eye(3))
        found = values(trace(model, (3,)), torch.tensor([[0.0, 1.0, 2.0]]).double())
        e = np.e
        assert found[1][0].tolist() == pytest.approx([0.0, (e - 1) / (e**2 - 1), 1.0])

    def test_constant_layers_are_zero(self) -> None:
        model = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, 2))
        found = values(trace(model, (2,)), torch.ones(4, 2))
        assert not found[0].any()
        assert not found[1].any()

    def test_batches_make_no_difference(self) -> None:
        model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).double()
        traced, inputs = trace(model, (4,)), torch.rand(7, 4).double()
        for a, b in zip(values(traced, inputs), values(traced, inputs, 2), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-14)

    @pytest.mark.parametrize("shape", [(2, 3), (0, 4), (4,)])
    def test_inputs_of_another_shape(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(UserError, match="inputs"):
            values(trace(nn.Linear(4, 2), (4,)), torch.zeros(shape))
