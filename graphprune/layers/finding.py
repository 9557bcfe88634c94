"""Walks a network and finds every weight that pruning may remove, or names what it cannot handle.

Nothing is left out silently: a matrix is a prunable weight, or its module is of a type of which no
weight is ever pruned, or the network is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvTransposeNd
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

from graphprune.errors import UserError

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
NEVER_PRUNED = (
    _NormBase,  # batch and instance norms
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
    nn.Embedding,
    nn.EmbeddingBag,
    nn.PReLU,
)
UNSUPPORTED = (nn.RNNBase, nn.RNNCellBase, _ConvTransposeNd, nn.Bilinear)
JOINT = "in_proj_weight"
ATTENTION = (JOINT, "q_proj_weight", "k_proj_weight", "v_proj_weight")
ATTENTION_BIASES = ("bias_k", "bias_v")
PARTS = ("query", "key", "value")
WAY_OUT = (
    "supported: linear, convolution and attention layers (never_pruned = True on the module leaves "
    "it out of pruning and of all counts)"
)


def weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """The prunable weights by name; the rules and the errors are those of `masks.prunable`."""
    found: dict[str, nn.Parameter] = {}
    seen: set[int] = set()
    for path, module in _walk(model, "", set()):
        where = f"{path or 'model'} ({type(module).__name__})"
        _check_type(module, where)
        own = {name: _plain(module, name, where) for name in weight_names(module)}
        _check_matrices(module, where)
        for name, weight in own.items():
            if weight is not None and id(weight) not in seen:
                seen.add(id(weight))
                found[f"{path}.{name}" if path else name] = weight
    if not found:
        raise UserError("model has no linear or convolution layer; nothing can be pruned")
    return found


def weight_names(module: nn.Module) -> tuple[str, ...]:
    """The module's own attributes that are prunable weights, if they are not None."""
    if isinstance(module, nn.MultiheadAttention):
        return ATTENTION
    return ("weight",) if isinstance(module, LAYERS) else ()


def parts(name: str, rows: int) -> tuple[str, ...]:
    """The layers that a weight of so many rows holds, in equal blocks of rows, one after another.

    An attention's ``in_proj_weight`` holds three: query, key and value. Other weights hold one,
    which has the weight's own name.

    >>> parts("attention.in_proj_weight", 12)[0]
    'attention.in_proj_weight.query'
    """
    if name.rpartition(".")[2] == JOINT and rows % len(PARTS) == 0:
        return tuple(f"{name}.{part}" for part in PARTS)
    return (name,)


def by_layer(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``tensors`` by the names of weights (masks, say), cut into those of their layers (`parts`).

    >>> list(by_layer({"attention.in_proj_weight": torch.ones(12, 4)}))[2]
    'attention.in_proj_weight.value'
    """
    return {
        layer: block
        for name, tensor in tensors.items()
        for layers in (parts(name, len(tensor)),)
        for layer, block in zip(layers, tensor.tensor_split(len(layers)), strict=True)
    }


def read_directly(model: nn.Module) -> set[nn.Module]:
    """Linear layers whose weights the module around them reads, without calling the layer.

    Attention never calls its output projection. In evaluation mode torch's encoder layer does not
    call its two linear layers either (its fast path).
    """
    found: set[nn.Module] = set()
    for module in model.modules():
        if isinstance(module, nn.MultiheadAttention):
            found.add(module.out_proj)
        elif isinstance(module, nn.TransformerEncoderLayer):
            found |= {module.linear1, module.linear2}
    return found


def _walk(module: nn.Module, path: str, seen: set[nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    """As ``named_modules``, without the modules that are marked ``never_pruned``."""
    if module in seen or getattr(module, "never_pruned", False):
        return
    seen.add(module)
    yield path, module
    for name, child in module.named_children():
        yield from _walk(child, f"{path}.{name}" if path else name, seen)


def _plain(module: nn.Module, name: str, where: str) -> nn.Parameter | None:
    """The parameter itself; UserError where the module computes it from others."""
    if parametrize.is_parametrized(module, name):
        raise UserError(
            f"{where} computes its {name} by a parametrization; remove that first: "
            f"torch.nn.utils.parametrize.remove_parametrizations(module, {name!r})"
        )
    weight = module._parameters.get(name)
    if weight is None and getattr(module, name, None) is not None:
        sources = ", ".join(n for n in module._parameters if n.startswith(f"{name}_"))
        raise UserError(
            f"{where} computes its {name} from {sources or 'other tensors'}; remove that first: "
            "remove_weight_norm, remove_spectral_norm or prune.remove of torch.nn.utils"
        )
    return weight


def _check_type(module: nn.Module, where: str) -> None:
    """UserError for a module of a type that pruning cannot handle, or without weights as yet."""
    own = [*module._parameters.values(), *module._buffers.values()]
    if any(tensor is not None and is_lazy(tensor) for tensor in own):
        raise UserError(f"{where} has no weights yet; run the model once on an example before")
    if _is_quantised(module):
        raise UserError(f"{where} is quantised; expected the floating-point network")
    if isinstance(module, UNSUPPORTED):
        raise UserError(f"{where} is of a type that pruning does not support; {WAY_OUT}")


def _check_matrices(module: nn.Module, where: str) -> None:
    """UserError for weights that would be left out although they may be a layer's."""
    if isinstance(module, NEVER_PRUNED):
        return
    known = weight_names(module)
    alone = bool(known) or next(module.children(), None) is None
    for name, parameter in module._parameters.items():
        if parameter is None or parameter.dim() < 2 or name in (*known, *ATTENTION_BIASES):
            continue
        if alone or "weight" in name:
            shape = tuple(parameter.shape)
            raise UserError(f"{where} holds {name} {shape}, which is no known layer's; {WAY_OUT}")
    if not known and parametrize.is_parametrized(module):
        for name, held in module.parametrizations.items():  # type: ignore[operator, union-attr]
            if any(parameter.dim() > 1 for parameter in held.parameters(recurse=False)):
                _plain(module, name, where)


def _is_quantised(module: nn.Module) -> bool:
    home = type(module).__module__
    # FloatFunctional lives there as well; it computes in floating point
    return (
        home.startswith(("torch.ao.nn.", "torch.nn."))
        and "quantized" in home
        and not home.endswith("functional_modules")
    )
