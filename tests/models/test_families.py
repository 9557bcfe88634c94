"""Networks of torchvision and timm by name, and what is said of a name that there is not."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from graphprune import models
from graphprune.configuration.complete import complete
from graphprune.configuration.left_out import left_out
from graphprune.errors import UserError
from graphprune.jobs import demands
from graphprune.layout import path_label
from graphprune.models import families, networks
from graphprune.models.catalog import MODELS, check_fit
from graphprune.models.sizes import count, network_size, on_meta
from graphprune.plugins import only_plugins
from graphprune.torchvision_import import torchvision

CIFAR, IMAGENET = (3, 32, 32), (3, 224, 224)


def test_a_classifier_of_torchvision_is_torchvisions_own() -> None:
    ours = models.build("torchvision:squeezenet1_1", CIFAR, 7, seed=3)
    torch.manual_seed(3)
    theirs = torchvision("models").squeezenet1_1(num_classes=7).state_dict()
    assert all(torch.equal(weight, theirs[name]) for name, weight in ours.state_dict().items())
    assert "torchvision:squeezenet1_1" in MODELS
    assert "torchvision:squeezenet1_1" not in list(MODELS)


@pytest.mark.parametrize(
    ("name", "parameters", "multiplications"),
    [
        # "params" and "GFLOPS" of the weights in torchvision's documentation
        ("resnet50", 25_557_032, 4.09),
        ("mobilenet_v2", 3_504_872, 0.30),
        ("vit_b_16", 86_567_656, 17.56),
        ("convnext_tiny", 28_589_128, 4.46),
        # its builder looks at numbers, which the meta device does not have
        ("regnet_y_400mf", 4_344_144, 0.40),
    ],
)
def test_published_sizes(name: str, parameters: int, multiplications: float) -> None:
    size = count(on_meta(f"torchvision:{name}", IMAGENET, 1000), IMAGENET)
    assert size.parameters == parameters
    # that of attention's products, which use no weight, is left out: 4 % of ViT's
    assert size.multiplications / 1e9 == pytest.approx(multiplications, rel=0.05)


def test_networks_of_a_fixed_size_take_that_of_the_images() -> None:
    network = on_meta("torchvision:vit_b_16", CIFAR, 10)
    assert network.encoder.pos_embedding.shape[1] == 1 + 2 * 2
    with pytest.raises(UserError, match="needs square images"):
        models.build("torchvision:vit_b_16", (3, 32, 64), 10)


def test_images_that_do_not_fit_are_refused_in_one_line() -> None:
    with pytest.raises(UserError, match=r"it needs images of 3 channels"):
        check_fit("torchvision:resnet18", (1, 28, 28))
    with pytest.raises(UserError, match=r"torchvision:inception_v3 does not fit inputs of"):
        network_size("cifar10", "torchvision:inception_v3")


@pytest.mark.parametrize("name", ["resnet1", "fcn_resnet50", "a/b", "..", "", "A" * 101])
def test_what_torchvision_does_not_have(name: str) -> None:
    assert f"torchvision:{name}" not in MODELS
    with pytest.raises(UserError, match="torchvision has no classifier") as caught:
        MODELS[f"torchvision:{name}"]
    assert ("near: resnet18" in str(caught.value)) == (name == "resnet1")


def test_timm_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_timm(name: str, *args: Any, **kwargs: Any) -> ModuleType:
        if name == "timm":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "timm", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_timm)
    with pytest.raises(UserError) as caught:
        MODELS["timm:resnet18"]
    assert str(caught.value) == "timm is not installed: pip install 'graphprune[timm]'"


@pytest.mark.parametrize("fixed", [True, False])
def test_timm_is_told_channels_classes_and_size(
    fixed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for timm, which is an extra; the real one takes these arguments since 0.9."""
    asked: dict[str, Any] = {}

    def create_model(name: str, **options: Any) -> nn.Module:
        asked.update(options, name=name)
        return nn.Linear(2, 2)

    stand_in = SimpleNamespace(
        is_model=lambda name: name == "tiny.tag",
        list_models=lambda: ["tiny"],
        get_pretrained_cfg=lambda *_, **__: SimpleNamespace(fixed_input_size=fixed),
        create_model=create_model,
    )
    monkeypatch.setattr(families, "_timm", lambda: stand_in)
    models.build("timm:tiny.tag", (1, 28, 20), 10)
    expected = {"name": "tiny.tag", "pretrained": False, "num_classes": 10, "in_chans": 1}
    assert asked == expected | ({"img_size": (28, 20)} if fixed else {})
    with pytest.raises(UserError, match="timm has no classifier 'tinny'; near: tiny"):
        MODELS["timm:tinny"]


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "resnet18.a1_in1k"])
def test_networks_of_timm_are_built(name: str) -> None:
    torchvision("models")  # as timm's import needs it beside a CPU-only torch
    pytest.importorskip("timm")
    network = models.build(f"timm:{name}", CIFAR, 7)
    assert network.eval()(torch.rand(2, *CIFAR)).shape == (2, 7)
    assert network_size("cifar10", f"timm:{name}").prunable > 1e6


def test_a_colon_becomes_a_dash_in_paths() -> None:
    assert path_label("torchvision:resnet18") == "torchvision-resnet18"
    assert path_label("mlp") == "mlp"
    identity = networks.Identity("cifar10", "timm:resnet18", CIFAR, 10, 0)
    assert identity.of == "cifar10/timm-resnet18"


BIG = """
import graphprune

@graphprune.register_dataset("large", input_shape=(3, 224, 224), num_classes=1000, examples=1000)
def load(folder):
    raise RuntimeError("not read while planning")
"""


@pytest.mark.parametrize(
    ("model", "edges", "gigabytes"), [("resnet50", 4.09e9, 60.0), ("mobilenet_v2", 0.30e9, 5.2)]
)
def test_curvature_is_planned_at_224_pixels(
    model: str, edges: float, gigabytes: float, tmp_path: Path
) -> None:
    """12 bytes and 4 µs an edge and image, asked for with a margin of a quarter and of a half."""
    path = tmp_path / "large.py"
    path.write_text(BIG)
    with only_plugins([path]):
        config = complete(
            {
                "plugins": [str(path)],
                "networks": [{"dataset": "large", "model": f"torchvision:{model}"}],
                "seeds": [0],
                "compressions": [2],
                "methods": {"curvature": {}},
            }
        )
        assert left_out(config) == {}
        task = demands.Task("score", "large", f"torchvision:{model}", examples=1)
        assert demands.memory(task) / 1000 == pytest.approx(gigabytes, rel=0.02)
        assert demands.memory(task) * 2**20 > 1.25 * 12 * edges
        assert demands.minutes(task) == pytest.approx(2 + 1.5 * 4e-6 * edges / 60, rel=0.05, abs=1)
