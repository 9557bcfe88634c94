"""graphprune.score refuses what it does not know, and scores attention by every method but one."""

from typing import Any

import pytest
import torch
from torch import nn

import graphprune
from graphprune.errors import UserError
from graphprune.torchvision_import import torchvision


def test_an_unknown_method_or_option_is_named():
    model = nn.Sequential(nn.Linear(2, 1))
    with pytest.raises(UserError, match=r"method is 'magnitud'; allowed: .*magnitude"):
        graphprune.score(model, "magnitud")
    with pytest.raises(UserError, match="option of method random is 'sed'; allowed: seed"):
        graphprune.score(model, "random", sed=1)


def vision_transformer() -> nn.Module:
    torch.manual_seed(0)
    return torchvision("models").VisionTransformer(
        image_size=8, patch_size=4, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=16,
        num_classes=3,
    )  # fmt: skip


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("magnitude", {}),
        ("random", {}),
        ("snip", {}),
        ("rgp", {"sparsity": 0.6}),
        ("probmask", {"sparsity": 0.6, "epochs": 1}),
        ("probmask", {"sparsity": 0.6, "epochs": 1, "final": "draws"}),
    ],
)
def test_a_vision_transformer_is_scored_and_pruned_exactly(
    name: str, options: dict[str, Any], scope: str
) -> None:
    model = vision_transformer()
    with torch.no_grad():
        model.heads.head.weight.normal_()  # torchvision starts it at 0
    images, labels = torch.rand(6, 3, 8, 8), torch.arange(6) % 3
    scores = graphprune.score(model, name, images, labels, **options)
    total = 8 * 3 * 16 + 3 * 64 + 64 + 2 * 8 * 16 + 3 * 8
    assert sum(score.numel() for score in scores.values()) == total
    masks = graphprune.prune(scores, 0.6, scope)
    graphprune.apply(model, masks)
    zeros = sum(int((weight == 0).sum()) for weight in graphprune.prunable(model).values())
    assert zeros == round(0.6 * total)
    if scope == "layer":
        joint = masks["encoder.layers.encoder_layer_0.self_attention.in_proj_weight"]
        assert {int((~part).sum()) for part in joint.split(8)} <= {38, 39}  # of 64 each, 38.4


def test_curvature_names_the_attention_that_it_refuses() -> None:
    with pytest.raises(
        UserError, match=r"^operation encoder\..*self_attention \(MultiheadAttention"
    ):
        graphprune.score(vision_transformer(), "curvature", torch.rand(2, 3, 8, 8))
