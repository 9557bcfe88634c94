"""Tensors of a network that another program saved, put into our network key by key.

Nothing in such a file is run: pickles are read with ``weights_only``, which takes tensors, numbers,
texts and containers of them alone.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphprune.errors import UserError, shown

if TYPE_CHECKING:
    from torch import Tensor, nn

SUFFIXES = (".safetensors", ".pt", ".pth")
# where programs put the state dict among other things
WRAPPERS = ("state_dict", "model", "model_state_dict")
# what DataParallel, DistributedDataParallel and torch.compile put before each key
PREFIXES = ("module.", "_orig_mod.")
# of old files: batch norm counts batches only since torch 0.4.1, and this number decides nothing
_COUNTER = "num_batches_tracked"
# names in one message
_NAMED = 3


def read(path: str | Path, sha256: str = "") -> Mapping[str, object]:
    """What the file ``path`` holds, a ``.safetensors`` file or one of ``torch.save``.

    sha256: digest of the bytes that are expected; any where it is empty.

    Raises UserError, naming the file, if it is missing, damaged, another than expected, or holds
    more than tensors and plain values.

    >>> read("resnet.pt").keys()
    """
    import safetensors.torch

    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; expected a trained network") from error
    found = hashlib.sha256(content).hexdigest()
    if sha256 and found != sha256:
        raise UserError(
            f"{path}: has the SHA-256 {found}; expected {sha256}: it was changed since the run "
            "was planned; run again"
        )
    if Path(path).suffix == ".safetensors":
        try:
            return safetensors.torch.load(content)
        except Exception as error:  # safetensors has an error of its own, and raises others
            raise UserError(f"{path}: no safetensors file ({shown(str(error), 200)})") from error
    return _unwrapped(_loaded(content, path), path)


def _loaded(content: bytes, path: str | Path) -> object:
    """What ``torch.save`` wrote, if it is nothing but tensors and plain values."""
    import torch

    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises what it likes
        if refused := re.search(r"GLOBAL (\S+) was not an allowed", str(error)):
            raise UserError(
                f"{path}: holds {shown(refused[1])}, which is code and was not run; expected "
                "tensors alone: save model.state_dict()"
            ) from None
        raise UserError(
            f"{path}: damaged, or no file of torch.save with tensors alone "
            f"({type(error).__name__}); expected what torch.save(model.state_dict()) writes"
        ) from None


def _unwrapped(held: object, path: str | Path) -> Mapping[str, object]:
    """The state dict in ``held``, which may be one entry among others."""
    if not isinstance(held, Mapping):
        raise UserError(
            f"{path}: holds {type(held).__name__}; expected a state dict, or one below one of the "
            f"keys {', '.join(WRAPPERS)}"
        )
    inner = [key for key in WRAPPERS if isinstance(held.get(key), Mapping)]
    if len(inner) > 1:
        raise UserError(f"{path}: has several networks, {', '.join(inner)}; save one of them alone")
    return dict(held[inner[0]] if inner else held)


def fill(model: nn.Module, found: Mapping[str, object], path: str | Path) -> None:
    """Put the tensors ``found`` in the file ``path`` into ``model``, each under its own key.

    What DataParallel, DistributedDataParallel or torch.compile put before all keys is taken off.

    Raises UserError, naming the file, for keys that are missing or too many, tensors of other
    shapes, and weights that are not finite.
    """
    own = model.state_dict()
    tensors = _plain_keys(found, own)
    missing = [key for key in own if key not in tensors and not key.endswith(_COUNTER)]
    more = [key for key in tensors if key not in own]
    if missing or more:
        lacks = f"lacks {_listed(missing)}" if missing else ""
        has = f"has {_listed(more)}, which the network has not" if more else ""
        raise UserError(f"{path}: {' and '.join(filter(None, (lacks, has)))}")
    for key, value in tensors.items():
        _check(key, value, own[key], path)
    # a counter that the file lacks stays as it is
    model.load_state_dict({**own, **tensors})


def _plain_keys(found: Mapping[str, object], own: Iterable[str]) -> dict[str, Any]:
    """``found`` without what stands before all of its keys, and before none of ``own``."""
    tensors = {str(key): value for key, value in found.items()}
    while prefix := next((one for one in PREFIXES if _before_all(one, tensors, own)), ""):
        tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors


def _before_all(prefix: str, keys: Iterable[str], own: Iterable[str]) -> bool:
    keys = list(keys)
    return (
        bool(keys)
        and all(key.startswith(prefix) for key in keys)
        and not any(key.startswith(prefix) for key in own)
    )


def _check(key: str, value: object, own: Tensor, path: str | Path) -> None:
    import torch

    if not isinstance(value, torch.Tensor):
        raise UserError(f"{path}: {key!r} is {type(value).__name__}; expected a tensor")
    if value.shape != own.shape:
        raise UserError(
            f"{path}: {key!r} has shape {tuple(value.shape)}; the network's is {tuple(own.shape)}"
        )
    if value.is_floating_point() != own.is_floating_point():
        raise UserError(f"{path}: {key!r} is {value.dtype}; the network's is {own.dtype}")
    if value.is_floating_point() and not value.isfinite().all():
        raise UserError(f"{path}: {key!r} has values that are not finite")


def _listed(keys: list[str]) -> str:
    """The first of ``keys``, and how many more there are."""
    shorter = ", ".join(shown(key) for key in keys[:_NAMED])
    return shorter + (f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else "")
