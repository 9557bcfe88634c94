"""Which networks there are, and which inputs they refuse."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from graphprune import models
from graphprune.errors import UserError

CIFAR = (3, 32, 32)
MNIST = (1, 28, 28)
DIGITS = (1, 8, 8)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("lenet5", DIGITS, "at least 16x16 pixels"),
        ("vgg9", MNIST, "at least 30x30 pixels"),
        ("vgg16_bn", MNIST, "at least 32x32 pixels"),
        ("resnet18", MNIST, "3 channels"),
        ("vgg16", MNIST, "3 channels"),
        ("mlp", (64,), r"expected \(channels, height, width\)"),
    ],
)
def test_misfit(name: str, shape: tuple[int, ...], message: str) -> None:
    for check in (lambda: models.check_fit(name, shape), lambda: models.build(name, shape, 10)):
        with pytest.raises(UserError, match=message) as caught:
            check()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["lenet5", "vgg9"])
def test_smallest_size_that_is_allowed_works(name: str) -> None:
    side = next(s for s in range(1, 64) if not models.MODELS[name].misfit((1, s, s)))
    model = models.build(name, (1, side, side), 3).eval()
    assert model(torch.rand(2, 1, side, side)).shape == (2, 3)
    assert models.MODELS[name].misfit((1, side - 1, side))


def test_unknown_name_and_too_few_classes() -> None:
    with pytest.raises(UserError, match=r"model is 'lenet'; allowed: .*lenet5_tanh, mlp"):
        models.build("lenet", MNIST, 10)
    with pytest.raises(UserError, match="num_classes is 1"):
        models.build("mlp", MNIST, 1)


def test_checking_a_fit_does_not_import_torch() -> None:
    code = (
        "import sys; from graphprune.models.catalog import check_fit; "
        "check_fit('resnet18', (3, 32, 32)); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
