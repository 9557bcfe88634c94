"""Networks of libraries by ``library:NAME``: every classifier of torchvision and of timm.

Which names a library has is asked of the library itself, so that a name of one is looked up only
where a configuration has it: that imports torch.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from graphprune.errors import UserError, shown
from graphprune.torchvision_import import torchvision

if TYPE_CHECKING:
    from torch import nn

# torchvision's networks of a fixed input size -> what their builders call it
SIZED = {"vit_": "image_size", "maxvit_": "input_size"}
# they return a second output while they train, unless told not to
AUXILIARY = ("googlenet", "inception_v3")
NO_TIMM = "timm is not installed: pip install 'graphprune[timm]'"


def check_torchvision(name: str) -> None:
    """UserError unless torchvision has a classifier ``name``."""
    _check("torchvision", name, _torchvision_names())


def check_timm(name: str) -> None:
    """UserError unless timm is installed and has a network ``name``, with or without a tag."""
    timm = _timm()
    if not timm.is_model(name):
        _check("timm", name, timm.list_models())


def build_torchvision(input_shape: tuple[int, ...], num_classes: int, *, name: str) -> nn.Module:
    """torchvision's network ``name`` with random weights, for images of ``input_shape``."""
    options: dict[str, Any] = {"init_weights": True} if name in AUXILIARY else {}
    if name in AUXILIARY:
        options["aux_logits"] = False
    for prefix, keyword in SIZED.items():
        if name.startswith(prefix):
            height, width = input_shape[1:]
            if height != width:
                raise UserError(f"model torchvision:{name} needs square images")
            options[keyword] = height if keyword == "image_size" else (height, width)
    models = torchvision("models")
    network = models.get_model(name, weights=None, num_classes=num_classes, **options)
    return cast("nn.Module", network)


def build_timm(input_shape: tuple[int, ...], num_classes: int, *, name: str) -> nn.Module:
    """timm's network ``name`` with random weights, for images of ``input_shape``."""
    timm = _timm()
    options: dict[str, Any] = {}
    settings = timm.get_pretrained_cfg(name, allow_unregistered=False)
    if settings is not None and settings.fixed_input_size:
        options["img_size"] = input_shape[1:]
    network = timm.create_model(
        name, pretrained=False, num_classes=num_classes, in_chans=input_shape[0], **options
    )
    return cast("nn.Module", network)


@cache
def _torchvision_names() -> tuple[str, ...]:
    models = torchvision("models")
    return tuple(models.list_models(module=models))


def _timm() -> Any:
    torchvision("models")  # timm imports it, in the way that fails beside a CPU-only torch
    try:
        import timm
    except ImportError:
        raise UserError(NO_TIMM) from None
    return timm


def _check(library: str, name: str, names: Iterable[str]) -> None:
    known = list(names)
    if name not in known:
        near = difflib.get_close_matches(name, known, 3, 0.5)
        hint = f"; near: {', '.join(near)}" if near else ""
        raise UserError(f"{library} has no classifier {shown(name)}{hint}")
