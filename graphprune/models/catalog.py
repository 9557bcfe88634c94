"""Which networks there are and which inputs they fit, without importing torch.

Adding one: a file here that builds it, an ``Architecture`` below, a test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from graphprune.errors import UserError, one_of

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Architecture:
    """One network family.

    module: the module whose ``build(input_shape, num_classes, *options)`` makes it.
    misfit: for an input shape (channels, height, width) why it does not fit; "" if it does.
    """

    module: str
    misfit: Callable[[Shape], str]
    options: tuple[object, ...] = ()


def valid_sizes(side: int, convolutions: list[tuple[int, int]]) -> list[int]:
    """Side of the map after each unpadded convolution (kernel, stride); stops below 1.

    >>> valid_sizes(28, [(6, 2), (6, 2)])
    [12, 4]
    """
    sizes = []
    for kernel, stride in convolutions:
        side = (side - kernel) // stride + 1 if side >= kernel else 0
        if side < 1:
            break
        sizes.append(side)
    return sizes


LENET5 = [(6, 2), (6, 2)]
VGG9 = [(2, 2), (3, 1), (3, 1), (3, 2), (3, 1), (3, 1)]


def _unpadded(convolutions: list[tuple[int, int]]) -> Callable[[Shape], str]:
    smallest = 1
    while len(valid_sizes(smallest, convolutions)) < len(convolutions):
        smallest += 1

    def misfit(shape: Shape) -> str:
        return _too_small(shape, smallest)

    return misfit


def _too_small(shape: Shape, smallest: int) -> str:
    if min(shape[1:]) < smallest:
        return f"it needs images of at least {smallest}x{smallest} pixels"
    return ""


def _coloured(shape: Shape) -> str:
    if shape[0] != 3:
        return "it needs images of 3 channels"
    return _too_small(shape, 32)


MODELS: dict[str, Architecture] = {
    "mlp": Architecture("graphprune.models.mlp", lambda _: ""),
    "mlp5": Architecture("graphprune.models.mlp5", lambda _: ""),
    "lenet5": Architecture("graphprune.models.lenet5", _unpadded(LENET5)),
    "vgg9": Architecture("graphprune.models.vgg9", _unpadded(VGG9)),
    "vgg16_bn": Architecture("graphprune.models.vgg16_bn", lambda s: _too_small(s, 32)),
    "resnet20": Architecture("graphprune.models.resnet", lambda s: _too_small(s, 8), (20,)),
    "resnet32": Architecture("graphprune.models.resnet", lambda s: _too_small(s, 8), (32,)),
    "resnet18": Architecture("graphprune.models.vision", _coloured, ("resnet18",)),
    "vgg16": Architecture("graphprune.models.vision", _coloured, ("vgg16",)),
}


def check_fit(name: str, input_shape: Shape) -> None:
    """Raise UserError unless there is a network ``name`` and it takes ``input_shape``.

    input_shape: ``(channels, height, width)`` of one example.

    >>> check_fit("lenet5", (1, 8, 8))
    Traceback (most recent call last):
    graphprune.errors.UserError: model lenet5 does not fit inputs of shape (1, 8, 8): it needs \
images of at least 16x16 pixels
    """
    if name not in MODELS:
        raise one_of("model", name, MODELS)
    shape = tuple(input_shape)
    if len(shape) != 3 or min(shape) < 1:
        raise UserError(f"input shape is {shape}; expected (channels, height, width)")
    if reason := MODELS[name].misfit(shape):
        raise UserError(f"model {name} does not fit inputs of shape {shape}: {reason}")
