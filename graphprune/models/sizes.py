"""How large networks are: counted on torch's meta device, where nothing is computed.

The workflow needs the sizes before anything runs, to ask a scheduler for memory and time. Networks
of the built-in models are counted once, into ``sizes.json`` beside this file, so that planning need
not import torch. ``python -m graphprune.models.sizes`` writes that file, and a test checks that it
is not stale.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from graphprune.data.catalog import DATASETS, describe
from graphprune.errors import UserError
from graphprune.models.catalog import MODELS, Shape, check_fit

if TYPE_CHECKING:
    from torch import Tensor, nn

FILE = Path(__file__).with_name("sizes.json")

_log = logging.getLogger("graphprune")


@dataclass(frozen=True)
class Size:
    """What one network is made of.

    parameters: all of them. prunable: weights that pruning may remove. activations: outputs of all
    layers for one example, in numbers. multiplications: of one forward pass of one example.
    """

    parameters: int
    prunable: int
    activations: int
    multiplications: int


# taken where a network cannot be counted: about VGG-16 for CIFAR
UNKNOWN = Size(15_000_000, 0, 1_000_000, 300_000_000)


def network_size(
    dataset: str,
    model: str,
    options: Mapping[str, object] | None = None,
    input_shape: Shape = (),
) -> Size:
    """Size of ``model``, built with ``options``, for the images and classes of ``dataset``.

    input_shape: of the images as the network sees them, where it is not the dataset's.

    A network that cannot be counted has the size ``UNKNOWN``, whose ``prunable`` is 0, and the log
    says so.

    Raises UserError if there is no such dataset or model, or if they do not fit.

    >>> network_size("mnist", "lenet5").parameters
    45548
    """
    description = describe(dataset)
    shape = input_shape or description.input_shape
    check_fit(model, shape)
    place = _place(model, shape, description.num_classes)
    if not options and place in _stored():
        return _stored()[place]
    builder, text = MODELS[model].builder, network_text(options or {})
    return _counted(model, builder, shape, description.num_classes, text)


def network_text(options: Mapping[str, object]) -> str:
    """Options of a builder as one text, as `on_meta` takes them."""
    return json.dumps(options, sort_keys=True)


def on_meta(model: str, shape: Shape, classes: int, options: str = "{}") -> nn.Module:
    """The network on torch's meta device, where tensors have shapes but no numbers.

    options: of its builder, as JSON. A builder that looks at numbers, as some of torchvision's do,
    builds the network on the CPU before.
    """
    import torch

    from graphprune.models import build

    given = json.loads(options)
    try:
        with torch.device("meta"):
            return build(model, shape, classes, **given)
    except UserError:
        raise
    except Exception:
        if not MODELS.family(model):
            raise
        return build(model, shape, classes, **given).to("meta")


def count(network: nn.Module, input_shape: Shape) -> Size:
    """Size of ``network``, counted while one example of ``input_shape`` passes through it."""
    import torch

    from graphprune.layers.finding import parts, weights
    from graphprune.layers.uses import counting

    outputs = 0

    def hook(module: nn.Module, _: object, output: Tensor | tuple[Tensor, ...]) -> None:
        nonlocal outputs
        if isinstance(module, torch.nn.MultiheadAttention):
            output = output[0]  # the attention weights stand beside it
        if isinstance(output, torch.Tensor):
            outputs += output.numel()

    hooks = [
        module.register_forward_hook(hook)
        for module in network.modules()
        if not list(module.children()) or isinstance(module, torch.nn.MultiheadAttention)
    ]
    first = next(network.parameters())
    with torch.no_grad(), counting(network) as uses:
        network.eval()(torch.zeros(1, *input_shape, device=first.device, dtype=first.dtype))
    for handle in hooks:
        handle.remove()
    multiplications = 0
    for name, weight in weights(network).items():
        layers = parts(name, len(weight))
        multiplications += sum(uses[layer] * weight.numel() // len(layers) for layer in layers)
    return Size(
        sum(parameter.numel() for parameter in network.parameters()),
        sum(weight.numel() for weight in weights(network).values()),
        outputs,
        multiplications,
    )


# builder: a plug-in that is loaded again may build another network under the same name
@cache
def _counted(
    model: str,
    builder: object,  # noqa: ARG001
    shape: Shape,
    classes: int,
    options: str,
) -> Size:
    try:
        return count(on_meta(model, shape, classes, options), shape)
    except UserError:
        raise
    except Exception as error:  # the network of a plug-in may raise any error
        reason = " ".join(str(error).split())
        if MODELS.family(model):
            raise UserError(
                f"model {model} does not fit inputs of shape {shape}: {reason:.200}"
            ) from error
        _log.warning(
            "model %s cannot be counted before it runs (%s: %.120s); its jobs ask for the memory "
            "and time of VGG-16",
            *(model, type(error).__name__, reason),
        )
        return UNKNOWN


@cache
def _stored() -> dict[str, Size]:
    return {place: Size(**numbers) for place, numbers in json.loads(FILE.read_text()).items()}


def _place(model: str, shape: Shape, classes: int) -> str:
    return f"{model} {'x'.join(map(str, shape))} {classes}"


def counted() -> dict[str, Size]:
    """Sizes of all built-in models for the images of all built-in datasets, counted anew."""
    sizes = {}
    for model in MODELS.builtin():
        for dataset in DATASETS.builtin():
            shape, classes = describe(dataset).input_shape, describe(dataset).num_classes
            try:
                check_fit(model, shape)
            except UserError:
                continue
            sizes[_place(model, shape, classes)] = _counted(model, "", shape, classes, "{}")
    return sizes


def main() -> None:
    """Write the sizes of the built-in models beside this file."""
    from graphprune.files import write_json

    write_json(FILE, {place: asdict(size) for place, size in counted().items()})


if __name__ == "__main__":
    main()
