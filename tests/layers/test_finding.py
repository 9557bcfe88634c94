"""Which weights are prunable: torchvision's classifiers counted by hand, and what is refused."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import utils
from torch.nn.utils import parametrizations, prune

from graphprune.errors import UserError
from graphprune.layers.finding import by_layer, parts, read_directly, weights
from graphprune.torchvision_import import torchvision

CLASSIFIERS = (
    "alexnet", "vgg11", "vgg16_bn", "squeezenet1_1", "resnet18", "resnet50", "resnext50_32x4d",
    "wide_resnet50_2", "densenet121", "googlenet", "inception_v3", "mobilenet_v2",
    "mobilenet_v3_small", "mnasnet0_5", "shufflenet_v2_x0_5", "efficientnet_b0",
    "efficientnet_v2_s", "regnet_y_400mf", "convnext_tiny", "vit_b_16", "swin_t", "swin_v2_t",
    "maxvit_t",
)  # fmt: skip
# scales, tokens and tables, which multiply or shift values and join no channels
LEFT_OUT = (
    "layer_scale", "class_token", "pos_embedding", "relative_position_bias_table", "logit_scale",
)  # fmt: skip


def built(name: str) -> nn.Module:
    options: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        options["init_weights"] = False
    # regnet asks for the values of what it has just made
    device = "cpu" if name.startswith("regnet") else "meta"
    with torch.device(device), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torchvision("models").get_model(name, weights=None, **options)


def size_of(module: nn.Module) -> int:
    """Weights of one layer, from its settings."""
    kind = type(module).__name__
    if kind in ("Linear", "NonDynamicallyQuantizableLinear"):
        return module.in_features * module.out_features
    if kind == "Conv2d":
        fan_in = module.in_channels // module.groups * math.prod(module.kernel_size)
        return module.out_channels * fan_in
    return 3 * module.embed_dim**2 if kind == "MultiheadAttention" else 0


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_of_torchvision_s_classifiers_every_layer_is_prunable(name: str) -> None:
    model = built(name)
    found = weights(model)
    total = sum(weight.numel() for weight in found.values())
    assert total == sum(size_of(module) for module in model.modules())
    rest = {key: p for key, p in model.named_parameters() if key not in found}
    assert all(p.dim() < 2 or key.endswith(LEFT_OUT) for key, p in rest.items())
    if name not in ("googlenet", "inception_v3"):  # published without their second classifiers
        published = torchvision("models").get_model_weights(name).DEFAULT.meta["num_params"]
        assert total + sum(p.numel() for p in rest.values()) == published


class Around(nn.Module):
    """A module inside another one, beside a layer that is prunable."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.fc, self.inner = nn.Linear(2, 2), inner


REFUSED = [
    nn.LSTM(4, 4), nn.GRU(4, 4), nn.RNN(4, 4), nn.LSTMCell(4, 4), nn.GRUCell(4, 4),
    nn.RNNCell(4, 4), nn.ConvTranspose1d(2, 2, 2), nn.ConvTranspose2d(2, 2, 2),
    nn.ConvTranspose3d(2, 2, 2), nn.Bilinear(2, 2, 2),
    nn.ParameterList([nn.Parameter(torch.ones(2, 2))]),
]  # fmt: skip


@pytest.mark.parametrize("inner", REFUSED, ids=lambda module: type(module).__name__)
def test_what_would_be_left_out_silently_is_refused_by_name(inner: nn.Module) -> None:
    with pytest.raises(UserError) as caught:
        weights(Around(inner))
    assert str(caught.value).startswith(f"inner ({type(inner).__name__}) ")
    assert "never_pruned = True" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("inner", REFUSED[:1])
def test_a_module_that_is_marked_is_left_out_with_all_below_it(inner: nn.Module) -> None:
    model = Around(nn.Sequential(inner, nn.Linear(4, 4)))
    model.inner.never_pruned = True
    assert list(weights(model)) == ["fc.weight"]
    model.inner.never_pruned = False
    with pytest.raises(UserError, match=r"^inner\.0 \(LSTM\)"):
        weights(model)


@pytest.mark.parametrize(
    "inner",
    [
        nn.Embedding(3, 3), nn.EmbeddingBag(3, 3), nn.LayerNorm((3, 3)), nn.RMSNorm((3, 3)),
        nn.GroupNorm(1, 2), nn.BatchNorm2d(2), nn.InstanceNorm2d(2, affine=True), nn.PReLU(2),
        parametrizations.weight_norm(nn.Embedding(3, 3)),
    ],
    ids=lambda module: type(module).__name__,
)  # fmt: skip
def test_types_that_are_never_pruned(inner: nn.Module) -> None:
    assert list(weights(Around(inner))) == ["fc.weight"]


class Token(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 2)
        self.register_parameter(name, nn.Parameter(torch.ones(1, 3, 2)))


class LowRank(nn.Linear):
    def __init__(self) -> None:
        super().__init__(2, 2)
        self.down = nn.Parameter(torch.ones(1, 2))


def test_parameters_beside_layers_stay_unless_they_are_called_weights() -> None:
    assert list(weights(Token("position"))) == ["fc.weight"]
    with pytest.raises(UserError, match=r"^model \(Token\) holds mix_weight \(1, 3, 2\), which is"):
        weights(Token("mix_weight"))
    with pytest.raises(UserError, match=r"^inner \(LowRank\) holds down \(1, 2\), which is no kno"):
        weights(Around(LowRank()))


def layer() -> nn.Linear:
    return nn.Linear(3, 3)


def attention() -> nn.MultiheadAttention:
    return nn.MultiheadAttention(4, 2)


@pytest.mark.parametrize(
    ("inner", "sentence"),
    [
        (lambda: utils.weight_norm(layer()), "computes its weight from weight_g, weight_v"),
        (lambda: utils.spectral_norm(layer()), "(Linear) computes its weight from weight_orig"),
        (lambda: prune.random_unstructured(layer(), "weight", 0.5),
         "(Linear) computes its weight from weight_orig; remove that first"),
        (lambda: parametrizations.weight_norm(layer()),
         "computes its weight by a parametrization; remove that first: "
         "torch.nn.utils.parametrize.remove_parametrizations(module, 'weight')"),
        (lambda: parametrizations.spectral_norm(nn.Conv2d(2, 2, 2)),
         "(ParametrizedConv2d) computes its weight by a parametrization; remove that first"),
        (lambda: parametrizations.weight_norm(attention(), "in_proj_weight"),
         "(ParametrizedMultiheadAttention) computes its in_proj_weight by a parametrization"),
        (lambda: utils.weight_norm(attention(), "in_proj_weight"),
         "computes its in_proj_weight from in_proj_weight_g, in_proj_weight_v"),
        (lambda: parametrizations.weight_norm(nn.ConvTranspose1d(2, 2, 2)),
         "(ParametrizedConvTranspose1d) is of a type that pruning does not support"),
        (lambda: nn.LazyConv2d(2, 2), "(LazyConv2d) has no weights yet; run the model once"),
        (lambda: nn.LazyBatchNorm1d(), "(LazyBatchNorm1d) has no weights yet; run the model once"),
        (lambda: torch.jit.script(layer()), "(RecursiveScriptModule) holds weight (3, 3), which"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_weights_that_are_no_plain_parameters_are_refused(inner: Any, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        weights(Around(inner()))
    assert str(caught.value).startswith("inner (")
    assert sentence in str(caught.value)


def test_what_a_parametrization_is_removed_from_is_prunable() -> None:
    inner = parametrizations.weight_norm(layer())
    utils.parametrize.remove_parametrizations(inner, "weight")
    assert list(weights(Around(inner))) == ["fc.weight", "inner.weight"]
    # the bias may be computed from whatever it likes
    inner = utils.parametrize.register_parametrization(layer(), "bias", nn.Identity())
    assert list(weights(Around(inner))) == ["fc.weight", "inner.weight"]


@pytest.mark.filterwarnings("ignore")
def test_quantised_layers_are_refused() -> None:
    model = torch.ao.quantization.quantize_dynamic(Around(layer()), {nn.Linear})
    with pytest.raises(
        UserError, match=r"^fc \(Linear\) is quantised; expected the floating-point"
    ):
        weights(model)
    # its float counterpart of additions is at home in the same package
    assert list(weights(Around(torch.ao.nn.quantized.FloatFunctional()))) == ["fc.weight"]


def test_attention_has_its_projections_joint_or_apart() -> None:
    joint = weights(Around(nn.MultiheadAttention(4, 2, add_bias_kv=True)))
    assert [(name, tuple(w.shape)) for name, w in joint.items()] == [
        ("fc.weight", (2, 2)),
        ("inner.in_proj_weight", (12, 4)),
        ("inner.out_proj.weight", (4, 4)),
    ]
    apart = weights(nn.MultiheadAttention(4, 2, kdim=3, vdim=5))
    assert {name: tuple(w.shape) for name, w in apart.items()} == {
        "q_proj_weight": (4, 4),
        "k_proj_weight": (4, 3),
        "v_proj_weight": (4, 5),
        "out_proj.weight": (4, 4),
    }


def test_parts_of_a_weight() -> None:
    assert parts("a.in_proj_weight", 12) == tuple(
        f"a.in_proj_weight.{part}" for part in ("query", "key", "value")
    )
    assert parts("a.k_proj_weight", 12) == ("a.k_proj_weight",)
    assert parts("a.weight", 12) == ("a.weight",)
    assert parts("in_proj_weight", 4) == ("in_proj_weight",)


def test_tensors_by_layer_are_the_rows_of_each() -> None:
    joint, plain = torch.arange(24).reshape(12, 2), torch.ones(2, 2)
    found = by_layer({"a.in_proj_weight": joint, "fc.weight": plain})
    assert list(found) == [*parts("a.in_proj_weight", 12), "fc.weight"]
    assert torch.equal(torch.cat(list(found.values())[:3]), joint)
    assert {len(tensor) for tensor in list(found.values())[:3]} == {4}
    assert torch.equal(found["fc.weight"], plain)


def test_layers_that_are_not_called() -> None:
    model = nn.TransformerEncoderLayer(4, 2, 8)
    assert read_directly(model) == {model.self_attn.out_proj, model.linear1, model.linear2}
    assert read_directly(Around(layer())) == set()
