"""Pruned networks on disk: masks of a bit a weight, and the values of the kept weights alone.

A unit keeps two files. ``mask.safetensors`` holds its masks; of a method that trains the network
itself (ProbMask) also the trained weights, and whether kept weights are rescaled. With the
checkpoint that the method saw, it gives the pruned network. ``finetuned.safetensors`` holds the
kept values after fine-tuning and needs the masks beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from graphprune import checkpoints
from graphprune.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graphprune.masks import Masks

KIND = "mask"
FILE = "mask.safetensors"
_RESCALE = "rescale"


def save(
    path: str | Path,
    masks: Mapping[str, Tensor],
    weights: Mapping[str, Tensor] | None = None,
    rescale: bool = False,
    made: Mapping[str, object] | None = None,
) -> None:
    """Write ``masks`` atomically.

    weights: state-dict entries that the method has trained; they replace the network's. Of masked
    ones only the kept values are stored. rescale: whether the kept weights are to be scaled to the
    norm of all (`graphprune.masks.rescale`).
    """
    kept, _ = compress(weights or {}, masks)
    metadata = {_RESCALE: str(rescale).lower()}
    checkpoints.save(path, masks, KIND, metadata, made, beside=kept)


def read(path: str | Path) -> Masks:
    """The masks in a file written by `save`; UserError names a missing, damaged or foreign one."""
    masks, _ = checkpoints.load(path, KIND)
    for name, mask in masks.items():
        if str(mask.dtype) != "torch.bool":
            raise UserError(f"{path}: {name!r} is no boolean mask; remove it and run again")
    return masks


def read_beside(path: str | Path, content: str) -> Masks:
    """The masks in the folder of ``path``; UserError unless they have the digest ``content``."""
    file = Path(path).with_name(FILE)
    if checkpoints.header(file, KIND)["content"] != content:
        raise UserError(
            f"{path}: was trained under other masks than those in {file}; one of the two files "
            "belongs elsewhere; remove both and run again"
        )
    return read(file)


def apply_file(model: nn.Module, path: str | Path) -> None:
    """Prune ``model``, the network that the method saw, in place by the file of masks ``path``."""
    from graphprune.masks import apply, check, rescale

    masks, metadata = checkpoints.load(path, KIND)
    try:
        check(model, masks)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    trained, _ = checkpoints.load(path, KIND, beside=True)
    if metadata.get(_RESCALE) not in ("true", "false"):
        raise UserError(f"{path}: does not say whether kept weights are rescaled; make it again")
    if trained:
        full = expand(path, trained, {name: masks[name] for name in masks if name in trained}, {})
        checkpoints.fill(model, {**model.state_dict(), **full}, path)
    elif metadata[_RESCALE] == "true":
        rescale(model, masks)
    apply(model, masks)


def compress(
    weights: Mapping[str, Tensor], masks: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """``weights`` with the kept values alone of each masked entry, as a vector.

    Returns them and, of entries that are the memory of a masked one under another name (layers that
    share a weight), the name under which they are stored.

    Raises UserError where a kept weight is not finite.
    """
    held = {weights[name].data_ptr(): name for name in masks if name in weights}
    short: dict[str, Tensor] = {}
    aliases: dict[str, str] = {}
    for name, tensor in weights.items():
        if name not in masks:
            first = held.get(tensor.data_ptr()) if tensor.numel() else None
            if first is not None and tensor.shape == masks[first].shape:
                aliases[name] = first
            else:
                short[name] = tensor
            continue
        mask = masks[name].to(tensor.device)
        short[name] = tensor[mask]
        if not short[name].isfinite().all():
            raise UserError(f"{name} has kept weights that are not finite; nothing was written")
    return short, aliases


def check_zeros(weights: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> None:
    """UserError, naming the entry, unless every weight outside ``masks`` is exactly 0.0."""
    for name, mask in masks.items():
        outside = weights[name][~mask.to(weights[name].device)]
        if outside.count_nonzero():
            raise UserError(
                f"{name} has {int(outside.count_nonzero())} weights outside its mask that are not "
                "0; a pruned weight stays 0"
            )


def expand(
    path: str | Path,
    weights: Mapping[str, Tensor],
    masks: Mapping[str, Tensor],
    aliases: Mapping[str, str],
) -> dict[str, Tensor]:
    """The weights that `compress` shortened: 0.0 outside the masks. path: for errors."""
    full = dict(weights)
    if strange := [name for name in aliases.values() if name not in masks]:
        raise UserError(f"{path}: shares the weights of {strange[0]!r}, which has no mask")
    for name, mask in masks.items():
        kept = weights.get(name)
        if kept is None or kept.shape != (int(mask.sum()),):
            what = "lacks" if kept is None else f"has {tuple(kept.shape)} values of"
            raise UserError(f"{path}: {what} {name!r}; its masks keep {int(mask.sum())} weights")
        full[name] = kept.new_zeros(mask.shape)
        full[name][mask] = kept
    return full | {alias: full[name] for alias, name in aliases.items()}
