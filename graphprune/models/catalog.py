"""Which models there are and which inputs they fit, without importing torch for the built-in ones.

To add one: a file in this folder that builds it, and a line in ``MODELS``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from graphprune.errors import UserError, shown
from graphprune.options import keyword_options
from graphprune.plugins import Catalog, check_call, source_of

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, ...]
Builder = TypeVar("Builder", bound="Callable[..., nn.Module]")


@dataclass(frozen=True)
class Architecture:
    """A model: how it is built, and which inputs it fits.

    builder: "module:function", or the function: ``build(input_shape, num_classes, **options)``. Its
        keyword-only parameters are the options that a configuration may set.
    misfit: says for an input shape (channels, height, width) why the model does not fit it; "" if
        it does.
    options: values of builder's options that belong to this entry; a configuration cannot set them.
    """

    builder: str | Callable[..., nn.Module]
    misfit: Callable[[Shape], str] = lambda _: ""
    options: Mapping[str, object] = field(default_factory=dict)

    def function(self) -> Callable[..., nn.Module]:
        """The builder; importing a built-in one imports torch."""
        if not isinstance(self.builder, str):
            return self.builder
        module, _, name = self.builder.partition(":")
        function: Callable[..., nn.Module] = getattr(import_module(module), name)
        return function


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


def _at_least(side: int) -> Callable[[Shape], str]:
    return lambda shape: _too_small(shape, side)


def _too_small(shape: Shape, smallest: int) -> str:
    if min(shape[1:]) < smallest:
        return f"it needs images of at least {smallest}x{smallest} pixels"
    return ""


def _coloured(shape: Shape) -> str:
    return _three_channels(shape) or _too_small(shape, 32)


def _three_channels(shape: Shape) -> str:
    return "it needs images of 3 channels" if shape[0] != 3 else ""


_HERE = "graphprune.models"
_TANH = {"activation": "tanh"}
# of timm's, with a tag behind a dot
_IN_A_FAMILY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]{0,99}")


def _of(library: str) -> Callable[[str], Architecture]:
    def architecture(name: str) -> Architecture:
        from graphprune.models import families

        if not _IN_A_FAMILY.fullmatch(name):
            raise UserError(f"{library} has no classifier {shown(name)}")
        getattr(families, f"check_{library}")(name)
        misfit = _three_channels if library == "torchvision" else lambda _: ""
        return Architecture(f"{_HERE}.families:build_{library}", misfit, {"name": name})

    return architecture


MODELS: Catalog[Architecture] = Catalog(
    "model",
    {
        "mlp": Architecture(f"{_HERE}.mlp:build"),
        "mlp5": Architecture(f"{_HERE}.mlp5:build", options={"depth": 5}),
        "mlp15": Architecture(f"{_HERE}.mlp5:build", options={"depth": 15}),
        "lenet5": Architecture(f"{_HERE}.lenet5:build", _unpadded(LENET5)),
        "lenet5_tanh": Architecture(f"{_HERE}.lenet5:build", _unpadded(LENET5), _TANH),
        "vgg9": Architecture(f"{_HERE}.vgg9:build", _unpadded(VGG9)),
        "vgg9_tanh": Architecture(f"{_HERE}.vgg9:build", _unpadded(VGG9), _TANH),
        "vgg16_bn": Architecture(f"{_HERE}.vgg16_bn:build", _at_least(32), {"depth": 16}),
        "vgg19_bn": Architecture(f"{_HERE}.vgg16_bn:build", _at_least(32), {"depth": 19}),
        "conv2": Architecture(f"{_HERE}.conv:build", _at_least(2), {"depth": 2}),
        "conv4": Architecture(f"{_HERE}.conv:build", _at_least(4), {"depth": 4}),
        "conv6": Architecture(f"{_HERE}.conv:build", _at_least(8), {"depth": 6}),
        "conv8": Architecture(f"{_HERE}.conv:build", _at_least(16), {"depth": 8}),
        "resnet8": Architecture(
            f"{_HERE}.resnet:build", _at_least(8), {"depth": 8, "width": 8, "shortcut": "pad"}
        ),
        "resnet20": Architecture(f"{_HERE}.resnet:build", _at_least(8), {"depth": 20}),
        "resnet32": Architecture(f"{_HERE}.resnet:build", _at_least(8), {"depth": 32}),
        "wide_resnet32": Architecture(
            f"{_HERE}.resnet:build",
            _at_least(8),
            {"depth": 32, "width": 32, "shortcut": "convolution"},
        ),
        "resnet56": Architecture(f"{_HERE}.resnet:build", _at_least(8), {"depth": 56}),
        "resnet18": Architecture(f"{_HERE}.vision:build", _coloured, {"name": "resnet18"}),
        "resnet18_cifar": Architecture(
            f"{_HERE}.vision:build_for_small_images", _at_least(8), {"name": "resnet18"}
        ),
        "vgg16": Architecture(f"{_HERE}.vision:build", _coloured, {"name": "vgg16"}),
    },
    families={library: _of(library) for library in ("torchvision", "timm")},
)


def register_model(
    name: str, misfit: Callable[[Shape], str] = lambda _: ""
) -> Callable[[Builder], Builder]:
    """Add the model that the decorated function builds to the catalog; for plug-ins.

    The function takes ``input_shape`` (channels, height, width) and ``num_classes`` and returns an
    ``nn.Module`` from ``(n, *input_shape)`` to logits ``(n, num_classes)``. Keyword-only parameters
    with a type and a default are options of the model in the configuration. Draw the weights from
    torch's global generator: it is seeded before the call.

    misfit: says for an input shape why the model does not fit it, in a few words; "" if it does.

    Raises UserError for a name that is taken or not allowed, and for a function of other
    arguments.

    >>> @register_model("linear")
    ... def build(input_shape, num_classes):
    ...     return nn.Sequential(nn.Flatten(), nn.Linear(prod(input_shape), num_classes))
    """

    def register(builder: Builder) -> Builder:
        source = source_of(builder)
        check_call(f"{source}: model {name}: its builder", builder, "input_shape", "num_classes")
        MODELS.add(name, Architecture(builder, misfit), source)
        return builder

    return register


def check_options(name: str, options: Mapping[str, object], where: str = "") -> dict[str, Any]:
    """The builder's options for the model ``name``: those given, and those of its entry.

    Raises UserError for an option that the model does not have or a value that is not allowed;
    ``where`` is the path of the options in the configuration.
    """
    architecture = MODELS[name]
    if not options:
        return dict(architecture.options)
    # a built-in builder imports torch, so it is loaded only if there are options to check
    given = keyword_options(
        architecture.function(), options, where or f"model {name}: options", architecture.options
    )
    return {**given, **architecture.options}


def check_fit(name: str, input_shape: Shape) -> None:
    """Raise UserError unless there is a model ``name`` and it fits ``input_shape``.

    input_shape: ``(channels, height, width)`` of one example.

    >>> check_fit("lenet5", (1, 8, 8))
    Traceback (most recent call last):
    graphprune.errors.UserError: model lenet5 does not fit inputs of shape (1, 8, 8): it needs \
images of at least 16x16 pixels
    """
    architecture = MODELS[name]
    shape = tuple(input_shape)
    if len(shape) != 3 or min(shape) < 1:
        raise UserError(f"input shape is {shape}; expected (channels, height, width)")
    try:
        reason = architecture.misfit(shape)
    except Exception as error:  # a plug-in's function may raise what it likes
        reason = f"misfit raised {type(error).__name__}: {' '.join(str(error).split())}"
    if reason:
        raise UserError(f"model {name} does not fit inputs of shape {shape}: {reason}")
