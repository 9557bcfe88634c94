"""Twenty much-used classifiers of torchvision, built narrow, go through every method but curvature.

Each is torchvision's own class with its own forward pass. All channels are divided by one number,
or, for the transformers, the class is called with small sizes.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import nn

import graphprune
from graphprune import compaction
from graphprune.models.sizes import count
from graphprune.torchvision_import import torchvision
from graphprune.training import evaluation

CLASSES, SIDE = 4, 32
LARGER = {"alexnet": 64}  # its first layers leave nothing of less
# name -> by what its channels are divided
NARROW = {
    "alexnet": 32,
    "vgg16": 32,
    "vgg19_bn": 32,
    "resnet18": 32,
    "resnet34": 32,
    "resnet50": 32,
    "resnext50_32x4d": 32,
    "wide_resnet50_2": 32,
    "densenet121": 32,
    "squeezenet1_1": 8,
    "googlenet": 8,
    "mobilenet_v2": 8,
    "mobilenet_v3_small": 8,
    "mobilenet_v3_large": 8,
    "efficientnet_b0": 8,
    "regnet_y_400mf": 8,
}
SIZED: dict[str, Callable[[Any], nn.Module]] = {
    "shufflenet_v2_x1_0": lambda of: of.shufflenetv2.ShuffleNetV2(
        [4, 8, 4], [8, 16, 32, 64, 64], num_classes=CLASSES
    ),
    "vit_b_16": lambda of: of.VisionTransformer(SIDE, 16, 2, 2, 16, 32, num_classes=CLASSES),
    "swin_t": lambda of: of.SwinTransformer([4, 4], 8, [1, 1], [1, 2], [4, 4], num_classes=CLASSES),
    "convnext_tiny": lambda of: of.ConvNeXt(
        [of.convnext.CNBlockConfig(8, 16, 1), of.convnext.CNBlockConfig(16, None, 1)],
        num_classes=CLASSES,
    ),
}
# one of each kind
COMPACTED = ("resnet18", "mobilenet_v2", "vit_b_16", "swin_t", "convnext_tiny")
# of the three colours and the classes there are as many as ever
KEPT = (3, CLASSES)


@contextmanager
def narrow(divisor: int) -> Iterator[None]:
    """Within the block layers have a ``divisor``-th of the channels that they are asked for."""

    def fewer(channels: int) -> int:
        return channels if channels in KEPT else max(1, channels // divisor)

    def replaced(kind: type[nn.Module], *names: str) -> Any:
        original = kind.__init__
        signature = inspect.signature(original)

        def init(self: nn.Module, *args: Any, **kwargs: Any) -> None:
            given = signature.bind(self, *args, **kwargs)
            channels = [fewer(given.arguments[name]) for name in names]
            groups = given.arguments.get("groups", 1)
            if groups > 1:
                depthwise = groups == given.arguments["in_channels"]
                wanted = channels[0] if depthwise else max(1, groups // divisor)
                given.arguments["groups"] = math.gcd(wanted, *channels)
            given.arguments |= dict(zip(names, channels, strict=True))
            original(*given.args, **given.kwargs)

        return patch.object(kind, "__init__", init)

    with ExitStack() as stack:
        stack.enter_context(replaced(nn.Conv2d, "in_channels", "out_channels"))
        stack.enter_context(replaced(nn.Linear, "in_features", "out_features"))
        stack.enter_context(replaced(nn.BatchNorm2d, "num_features"))
        yield


def small(name: str) -> nn.Module:
    models = torchvision("models")
    torch.manual_seed(0)
    if name in SIZED:
        return SIZED[name](models)
    options = {"aux_logits": False, "init_weights": True} if name == "googlenet" else {}
    with narrow(NARROW[name]):
        return models.get_model(name, weights=None, num_classes=CLASSES, **options)


def test_there_are_twenty() -> None:
    assert len(NARROW | SIZED) == 20


@pytest.mark.parametrize("name", [*NARROW, *SIZED])
def test_every_method_but_curvature_scores_it(name: str) -> None:
    network = small(name)
    side = LARGER.get(name, SIDE)
    images = torch.rand(4, 3, side, side)
    labels = torch.arange(4)
    layers = {
        f"{path}.weight": module.weight
        for path, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }
    layers |= {key: p for key, p in network.named_parameters() if key.endswith("in_proj_weight")}
    total = sum(weight.numel() for weight in layers.values())
    scores = {
        "magnitude": graphprune.score(network, "magnitude"),
        "random": graphprune.score(network, "random", seed=1),
        "rgp": graphprune.score(network, "rgp", sparsity=0.5, evaluations=10),
        "probmask": graphprune.score(
            network, "probmask", images, labels, sparsity=0.5, epochs=1, draws=1
        ),
    }
    for method, score in scores.items():
        assert {key: s.shape for key, s in score.items()} == {k: w.shape for k, w in layers.items()}
        if method == "rgp":
            assert all(((s == 0) | (s == 1)).all() for s in score.values())
    masks = graphprune.prune(scores["magnitude"], 0.5)
    assert sum(int(mask.sum()) for mask in masks.values()) == total - round(total / 2)
    shape = tuple(images.shape[1:])
    if name in COMPACTED:
        saved = compaction.savings(network.eval(), masks, shape, batch_sizes=())
        assert min(saved.file_size_kept, saved.file_size_total) > 2 * total
    of_layers = evaluation.costs(network, shape, masks)
    dense = sum(layer.flops_total for layer in of_layers)
    assert dense == 2 * count(network, shape).multiplications
    assert 0 < sum(layer.flops_kept for layer in of_layers) < dense
