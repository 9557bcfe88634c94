"""How often weights are used: against hooks on the layers, and attention counted by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from graphprune.layers.uses import counting
from graphprune.models import build
from graphprune.torchvision_import import torchvision


def by_hooks(model: nn.Module, inputs: Tensor) -> dict[str, int]:
    """Positions of each layer's outputs, from the outputs themselves."""
    uses: dict[str, int] = {}

    def hook(name: str, channels: int) -> Callable[..., None]:
        def add(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            uses[name] = uses.get(name, 0) + output.numel() // channels

        return add

    for path, module in model.named_modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(hook(f"{path}.weight", module.out_features))
        elif isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            module.register_forward_hook(hook(f"{path}.weight", module.out_channels))
    model(inputs)
    return uses


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (build("lenet5", (1, 28, 28), 10), (2, 1, 28, 28)),
        (build("resnet20", (3, 32, 32), 10), (1, 3, 32, 32)),
        (nn.Sequential(nn.Conv1d(2, 4, 3), nn.Conv1d(4, 2, 2, groups=2)), (2, 9)),
        (nn.Sequential(nn.Conv3d(1, 2, 2), nn.Linear(3, 5)), (2, 1, 4, 4, 4)),
        (nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular")), (1, 5, 4)),
    ],
)
def test_layers_that_are_called_are_counted_as_their_outputs_say(
    model: nn.Module, shape: tuple[int, ...]
) -> None:
    inputs = torch.rand(shape)
    with torch.no_grad(), counting(model.eval()) as uses:
        outputs = model(inputs)
    assert dict(uses) == by_hooks(model, inputs)
    torch.testing.assert_close(outputs, model(inputs), rtol=0, atol=0)


def test_a_weight_that_is_used_twice_counts_twice() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    with counting(model) as uses:
        model(torch.rand(5, 3))
    assert uses == {"0.weight": 10}


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("batch_first", [True, False])
def test_an_encoder_uses_every_weight_once_a_token(mode: str, batch_first: bool) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=batch_first)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=batch_first)
    getattr(model, mode)()
    fast = torch.backends.mha.get_fastpath_enabled()
    with torch.no_grad(), counting(model) as uses:
        model(torch.rand(3, 7, 8))
    assert torch.backends.mha.get_fastpath_enabled() == fast
    names = ["linear1.weight", "linear2.weight", "self_attn.out_proj.weight"]
    names += [f"self_attn.in_proj_weight.{part}" for part in ("query", "key", "value")]
    assert uses == {f"layers.{i}.{name}": 21 for i in range(2) for name in names}


@pytest.mark.parametrize("widths", [{}, {"kdim": 3, "vdim": 5}])
def test_attention_of_a_sequence_to_another_counts_each_by_its_own_length(
    widths: dict[str, int],
) -> None:
    model = nn.MultiheadAttention(4, 2, add_bias_kv=True, **widths)
    query = torch.rand(6, 4)
    key, value = torch.rand(9, widths.get("kdim", 4)), torch.rand(9, widths.get("vdim", 4))
    with counting(model) as uses:
        model(query, value=value, key=key)
    assert list(uses.values()) == [6, 9, 9, 6]


def test_weights_that_are_read_without_a_call_count_as_well() -> None:
    models = torchvision("models")
    model = models.SwinTransformer(
        patch_size=[4, 4], embed_dim=8, depths=[2], num_heads=[2], window_size=[2, 2], num_classes=3
    ).eval()
    with torch.no_grad(), counting(model) as uses:
        model(torch.rand(1, 3, 16, 16))
    # 4 x 4 patches, each of which passes every layer but the head
    assert set(uses.values()) == {16, 1}
    assert [name for name, number in uses.items() if number == 1] == ["head.weight"]


def test_counting_ends_also_where_the_model_fails() -> None:
    model = nn.Sequential(nn.Linear(3, 3))
    fast = torch.backends.mha.get_fastpath_enabled()
    with pytest.raises(RuntimeError), counting(model) as uses:
        model(torch.rand(2, 4))
    assert torch.backends.mha.get_fastpath_enabled() == fast
    model(torch.rand(2, 3))
    assert uses == {"0.weight": 0}
