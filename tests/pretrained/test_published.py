"""What is known of published weights before they are fetched."""

from __future__ import annotations

import sys
from dataclasses import asdict
from types import SimpleNamespace

import pytest

from graphprune.errors import UserError
from graphprune.pretrained import published
from graphprune.pretrained.source import Source

RESNET = Source.of("weights:ResNet18_Weights.IMAGENET1K_V1")
TIMM = SimpleNamespace(
    is_model=lambda name: name == "resnet18",
    get_pretrained_cfg=lambda name: SimpleNamespace(
        has_weights=name.endswith("a1"), mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3),
        input_size=(3, 224, 224), test_input_size=(3, 288, 288), crop_pct=0.875,
        test_crop_pct=0.95, interpolation="bicubic", num_classes=1000,
    ),
)  # fmt: skip


def test_what_is_stored_is_what_torchvision_says() -> None:
    """Of the weights that both this torchvision and the stored one have."""
    now = {name: asdict(one) for name, one in published.of_torchvision().items()}
    stored = {name: asdict(published.facts(Source("torchvision", name))) for name in now
              if name in published._stored()}  # fmt: skip
    assert len(stored) > 100
    assert stored == {name: now[name] for name in stored}


def test_facts_of_a_network_as_its_page_has_them() -> None:
    facts = published.facts(RESNET)
    assert (facts.file, facts.outputs) == ("resnet18-f37072fd.pth", 1000)
    assert (facts.accuracy, facts.of) == (0.69758, "ImageNet-1K")
    assert facts.preprocess == {
        "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
        "size": 224, "resize": 256, "interpolation": "bilinear",
    }  # fmt: skip


def test_names_that_are_not_known_are_refused_with_those_nearby() -> None:
    with pytest.raises(UserError, match=r"allowed are such as ResNet\w+_Weights\.IMAGENET1K_V"):
        published.facts(Source.of("weights:ResNet18_Weights.DEFAULT"))


def test_timm_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", TIMM)
    facts = published.facts(Source.of("timm:resnet18.a1"))
    # 288 / 0.95 = 303.2: timm rounds down
    assert facts.preprocess == {
        "mean": [0.5, 0.4, 0.3], "std": [0.1, 0.2, 0.3],
        "size": 288, "resize": 303, "interpolation": "bicubic",
    }  # fmt: skip
    assert (facts.outputs, facts.accuracy) == (1000, None)
    for name in ("resnet18.other", "nothing.a1"):
        with pytest.raises(UserError, match=f"timm publishes no weights '{name}'"):
            published.facts(Source.of(f"timm:{name}"))


def test_without_timm_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match="timm:any: timm is not installed: pip install"):
        published.facts(Source.of("timm:any"))
