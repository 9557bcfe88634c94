"""Tensors on disk: safetensors files that say what they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphprune.errors import UserError
from graphprune.files import atomic

if TYPE_CHECKING:
    from torch import Tensor, nn

KIND = "graphprune"


class ForeignCheckpointError(UserError):
    """The checkpoint is complete, but another run wrote it; this run cannot resume from it."""


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

    with atomic(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file(_apart(tensors), temporary, metadata={**(metadata or {}), KIND: kind})
        # save_file lets nobody but the owner read the file; colleagues share the disk
        temporary.chmod(mode)


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``tensors``, each in its own memory: the format has no word for weights that layers share."""
    apart, seen = {}, set()
    for name, tensor in tensors.items():
        plain = tensor.detach().contiguous()
        memory = plain.untyped_storage().data_ptr()
        apart[name] = plain.clone() if memory in seen else plain
        seen.add(memory)
    return apart


def load(path: str | Path, kind: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a file written by ``save``: its tensors and its metadata.

    Raises UserError, naming the file, if it is missing, damaged, or not of this ``kind``.
    """
    with _opened(path, kind) as (file, header):
        return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118


def metadata(path: str | Path, kind: str) -> dict[str, str]:
    """The metadata of a file written by ``save``, from its header: no tensor is read.

    Raises UserError as `load` does.
    """
    with _opened(path, kind) as (_, header):
        return header


@contextmanager
def _opened(path: str | Path, kind: str) -> Iterator[tuple[Any, dict[str, str]]]:
    from safetensors import SafetensorError, safe_open

    file = Path(path)
    if not file.is_file():
        raise UserError(f"{file}: no such file; expected a graphprune {kind}")
    try:
        with safe_open(file, framework="pt") as opened:
            header = dict(opened.metadata() or {})
            written = header.pop(KIND, None)
            if written != kind:
                what = f"a graphprune {written}" if written else "a file of another program"
                raise UserError(f"{file}: is {what}; expected a graphprune {kind}")
            yield opened, header
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{file}: damaged or not a safetensors file ({error}); expected a graphprune {kind}"
        ) from error


def restore(model: nn.Module, path: str | Path, kind: str = "checkpoint") -> dict[str, str]:
    """Load the weights in ``path`` into ``model`` and return the file's metadata.

    Raises UserError, naming the file and the entry, if they are not this network's.
    """
    tensors, header = load(path, kind)
    fill(model, tensors, path)
    return header


def fill(model: nn.Module, tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Load ``tensors``, read from ``path``, into ``model``; errors as for `restore`."""
    state = model.state_dict()
    for name in state.keys() ^ tensors.keys():
        where = "lacks" if name in state else "has an unknown entry"
        raise UserError(f"{path}: {where} {name!r}; expected the weights of this very network")
    for name, tensor in tensors.items():
        if tensor.shape != state[name].shape:
            shape, expected = tuple(tensor.shape), tuple(state[name].shape)
            raise UserError(f"{path}: {name!r} has shape {shape}; this network's is {expected}")
    model.load_state_dict(tensors)
