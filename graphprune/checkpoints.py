"""Tensors on disk: safetensors files that say what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from graphprune.errors import UserError
from graphprune.files import atomic

if TYPE_CHECKING:
    from torch import Tensor, nn

KIND = "graphprune"


class ForeignCheckpointError(UserError):
    """A whole checkpoint, but of another run than the one that is to go on from it."""


def save(
    path: str | Path,
    tensors: Mapping[str, Tensor],
    kind: str,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write ``tensors`` atomically as a safetensors file whose header names its ``kind``.

    >>> save("dense.safetensors", model.state_dict(), "checkpoint", {"model": "lenet5"})
    """
    from safetensors.torch import save_file

    contiguous = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    with atomic(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file(contiguous, temporary, metadata={**(metadata or {}), KIND: kind})
        # which lets nobody but the owner read, on a disk that colleagues share
        temporary.chmod(mode)


def load(path: str | Path, kind: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a file written by ``save``: its tensors and its metadata.

    Raises UserError, naming the file, if it is missing, damaged, or not of this ``kind``.
    """
    from safetensors import SafetensorError, safe_open

    file = Path(path)
    if not file.is_file():
        raise UserError(f"{file}: no such file; expected a graphprune {kind}")
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = dict(opened.metadata() or {})
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{file}: damaged or not a safetensors file ({error}); expected a graphprune {kind}"
        ) from error
    found = metadata.pop(KIND, None)
    if found != kind:
        held = f"a graphprune {found}" if found else "a file of another program"
        raise UserError(f"{file}: is {held}; expected a graphprune {kind}")
    return tensors, metadata


def restore(model: nn.Module, path: str | Path, kind: str = "checkpoint") -> dict[str, str]:
    """Load the weights in ``path`` into ``model`` and return the file's metadata.

    Raises UserError, naming the file and the entry, if they are not this network's.
    """
    tensors, metadata = load(path, kind)
    own = model.state_dict()
    for name in own.keys() ^ tensors.keys():
        where = "lacks" if name in own else "has an unknown entry"
        raise UserError(f"{path}: {where} {name!r}; expected the weights of this very network")
    for name, tensor in tensors.items():
        if tensor.shape != own[name].shape:
            shape, expected = tuple(tensor.shape), tuple(own[name].shape)
            raise UserError(f"{path}: {name!r} has shape {shape}; this network's is {expected}")
    model.load_state_dict(tensors)
    return metadata
