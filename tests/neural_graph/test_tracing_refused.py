"""What the tracer refuses, and how it says so."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from graphprune.errors import UserError
from graphprune.neural_graph import trace


class _Forward(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


REFUSED = {
    "product": (lambda m, x: m.fc(x) * x, "operation mul in the model's forward is not supported"),
    "division": (lambda m, x: m.fc(x) / 2, "operation truediv"),
    "constant": (lambda m, x: m.fc(x) + m.fc.bias, "not computed from the input"),
    "number": (lambda m, x: m.fc(x) + 1.0, "not computed from the input"),
    "scaled sum": (lambda m, x: torch.add(m.fc(x), x, alpha=2), "operation add"),
    "broadcast": (lambda m, x: m.fc(x) + functional.avg_pool1d(x, 4), "avg_pool1d in"),
    "branch": (lambda m, x: m.fc(x) if x.sum() > 0 else x, "cannot be traced by torch.fx"),
    "split": (lambda m, x: torch.cat(m.fc(x).chunk(2, 1), 1), "operation chunk"),
    "batch": (lambda m, x: m.fc(x).reshape(-1), "reshapes"),
    "softmax inside": (
        lambda m, x: m.fc(torch.softmax(m.fc(x), 1)),
        "only as the network's output",
    ),
    "linear by hand": (lambda m, x: functional.linear(x, m.fc.weight), "operation linear"),
    "two outputs": (lambda m, x: (m.fc(x), x), "model returns"),
    "no vector": (lambda m, x: m.fc(x).unsqueeze(2), "last layer is not a classifier"),
    "input": (lambda _, x: x, "last layer is not a classifier"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_unsupported_is_refused_by_name(name: str) -> None:
    function, message = REFUSED[name]
    with pytest.raises(UserError, match=message) as caught:
        trace(_Forward(function), (4,))
    assert "\n" not in str(caught.value)


def test_refusal_names_the_module() -> None:
    inner = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
    with pytest.raises(UserError, match=r"operation 1\.1 \(LayerNorm\) is not supported"):
        trace(nn.Sequential(nn.Linear(4, 4), inner, nn.Linear(4, 2)), (4,))
    block = _Forward(lambda m, x: m.fc(x) * 2)
    with pytest.raises(UserError, match="operation mul in 1 is not supported"):
        trace(nn.Sequential(nn.Linear(4, 4), block, nn.Linear(4, 2)), (4,))


class TestNotAClassifier:
    @pytest.mark.parametrize(
        ("model", "shape"),
        [
            (nn.Conv2d(1, 2, 1), (1, 3, 3)),
            (nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1)), (3,)),
            (nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten()), (1, 2, 2)),
        ],
    )
    def test_output_that_is_no_class_vector(self, model: nn.Module, shape) -> None:
        with pytest.raises(UserError, match="last layer is not a classifier"):
            trace(model, shape)

    def test_convolution_down_to_one_position_is_one(self) -> None:
        model = nn.Sequential(nn.Conv2d(1, 3, 2), nn.Flatten(), nn.Softmax(dim=1))
        graph = trace(model, (1, 2, 2)).graph
        assert [layer.role for layer in graph.layers] == ["input", "output"]
        assert graph.layers[1].size == 3


def test_wrong_input_shape() -> None:
    with pytest.raises(UserError, match=r"does not run on inputs of shape \(5,\)"):
        trace(nn.Linear(4, 2), (5,))


def test_transformed_weight_is_refused() -> None:
    from torch.nn.utils import parametrizations, prune

    masked = nn.Sequential(nn.Linear(3, 2))
    prune.identity(masked[0], "weight")
    with pytest.raises(UserError, match=r"^0 \(Linear\) computes its weight from weight_orig"):
        trace(masked, (3,))
    with pytest.raises(UserError, match="ParametrizedLinear"):
        trace(parametrizations.weight_norm(nn.Linear(3, 2)), (3,))


def test_attention_is_named_and_not_what_lies_around_it() -> None:
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 1)
    model = nn.Sequential(encoder, nn.Flatten(), nn.Linear(12, 2))
    with pytest.raises(
        UserError, match=r"operation 0\.layers\.0\.self_attn \(MultiheadAttention\) is"
    ):
        trace(model, (3, 4))
