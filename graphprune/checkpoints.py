"""Tensors on disk: safetensors files that say what they hold, and by what they were made.

The header of such a file has one entry, ``graphprune``: JSON with the ``kind``, the digest of
the tensors (``content``), the caller's metadata, for an artifact of a run what ``made`` it
(`graphprune.provenance`), and the digest of all these (``seal``). One entry, because safetensors
writes several in random order, and the same tensors are to be the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphprune.errors import UserError, shown
from graphprune.files import SEAL, atomic, is_sealed, sealed

if TYPE_CHECKING:
    from torch import Tensor, nn

KEY = "graphprune"
# what the header says beside the caller's metadata
_OWN = ("kind", "content", "packed", "made", SEAL)
# what the names of tensors that lie beside the others begin with
BESIDE = "beside:"
# safetensors' own limit of a header
_LONGEST = 100_000_000


class ForeignCheckpointError(UserError):
    """The checkpoint is complete, but another run wrote it; this run cannot resume from it."""


def save(
    path: str | Path,
    tensors: Mapping[str, Tensor],
    kind: str,
    metadata: Mapping[str, str] | None = None,
    made: Mapping[str, object] | None = None,
    beside: Mapping[str, Tensor] | None = None,
) -> None:
    """Write ``tensors`` atomically as a safetensors file whose header names its ``kind``.

    Boolean tensors take a bit an entry. The same arguments give the same bytes.

    made: what made the tensors, see `graphprune.provenance`. beside: more tensors, which `load`
    gives only where they are asked for.

    >>> save("dense.safetensors", model.state_dict(), "checkpoint", {"model": "lenet5"})
    """
    from safetensors.torch import save_file

    more = {BESIDE + name: tensor for name, tensor in (beside or {}).items()}
    stored, packed = _pack(_apart({**tensors, **more}))
    header: dict[str, object] = {**(metadata or {}), "kind": kind, "content": content_of(stored)}
    if packed:
        header["packed"] = packed
    if made is not None:
        header["made"] = made
    with atomic(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file(stored, temporary, metadata={KEY: json.dumps(sealed(header), sort_keys=True)})
        # save_file lets nobody but the owner read the file; colleagues share the disk
        temporary.chmod(mode)


def content_of(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256, hexadecimal, over name, dtype, shape and bytes of each tensor, by name.

    >>> content_of({"w": torch.zeros(2)})[:8]
    'c54171ae'
    """
    import torch

    sha = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``tensors``, each in its own memory: the format has no word for weights that layers share."""
    apart, seen = {}, set()
    for name, tensor in tensors.items():
        plain = tensor.detach().contiguous()
        memory = plain.untyped_storage().data_ptr()
        apart[name] = plain.clone() if memory in seen else plain
        seen.add(memory)
    return apart


def _pack(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, list[int]]]:
    """``tensors`` with eight booleans a byte, and the shapes of those that were packed."""
    import numpy as np
    import torch

    stored, shapes = dict(tensors), {}
    for name, tensor in tensors.items():
        if tensor.dtype == torch.bool:
            bits = np.packbits(tensor.cpu().numpy().reshape(-1))
            stored[name], shapes[name] = torch.from_numpy(bits), list(tensor.shape)
    return stored, shapes


def _unpack(tensors: dict[str, Tensor], shapes: Mapping[str, list[int]]) -> dict[str, Tensor]:
    import math

    import numpy as np
    import torch

    for name, shape in shapes.items():
        count = math.prod(shape)
        # else a shape could ask for any amount of memory
        if min(shape, default=0) < 0 or -(-count // 8) != tensors[name].numel():
            raise ValueError(f"{name!r} cannot have the shape {shape}")
        bits = np.unpackbits(tensors[name].numpy(), count=count)
        tensors[name] = torch.from_numpy(bits.astype(bool)).reshape(shape)
    return tensors


def load(
    path: str | Path, kind: str, beside: bool = False
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a file written by ``save``: its tensors and its metadata.

    beside: give the tensors that lie beside the others instead of these.

    Raises UserError, naming the file, if it is missing, damaged, or not of this ``kind``. Damaged
    is also a file whose tensors do not have the digest in its header.
    """
    record = header(path, kind)
    with _opened(path, kind) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if content_of(tensors) != record["content"]:
        raise UserError(
            f"{path}: damaged, its tensors are not those that were written; remove it and run again"
        )
    try:
        tensors = _unpack(tensors, record.get("packed", {}))
        chosen = {
            name.removeprefix(BESIDE): tensor
            for name, tensor in tensors.items()
            if name.startswith(BESIDE) == beside
        }
        return chosen, _metadata(record)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = shown(error, 200)
        raise UserError(f"{path}: damaged header ({reason}); remove it and run again") from error


def metadata(path: str | Path, kind: str) -> dict[str, str]:
    """The metadata of a file written by ``save``, from its header: no tensor is read.

    Raises UserError as `load` does.
    """
    return _metadata(header(path, kind))


def _metadata(record: Mapping[str, Any]) -> dict[str, str]:
    return {key: value for key, value in record.items() if key not in _OWN}


def header(path: str | Path, kind: str | None = None) -> dict[str, Any]:
    """All that the header of a file written by ``save`` says; no tensor and no library is needed.

    kind: what is expected; ``None`` takes any.

    Raises UserError as `load` does.
    """
    file = Path(path)
    expected = f"expected a graphprune {kind}" if kind else "expected a file of graphprune"
    if not file.is_file():
        raise UserError(f"{file}: no such file; {expected}")
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 0 < length <= min(_LONGEST, file.stat().st_size):
                raise ValueError("its header is cut off")
            entries = json.loads(stream.read(length))
        written = entries.get("__metadata__", {}).get(KEY)
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        reason = shown(str(error), 200)
        raise UserError(
            f"{file}: damaged or not a safetensors file ({reason}); {expected}"
        ) from error
    return _checked(file, written, kind, expected)


def _checked(file: Path, written: object, kind: str | None, expected: str) -> dict[str, Any]:
    if not isinstance(written, str):
        raise UserError(f"{file}: is a file of another program; {expected}")
    try:
        record = json.loads(written)
    except (ValueError, RecursionError):
        # what graphprune wrote before 0.3: the kind alone
        record = None
    if not isinstance(record, dict) or not {"kind", "content"} <= record.keys():
        raise UserError(
            f"{file}: was written by an older version of graphprune; {expected}; make it again"
        )
    if not is_sealed(record):
        raise UserError(f"{file}: damaged, its header is not the one written; make it again")
    if kind not in (None, record["kind"]):
        raise UserError(f"{file}: is a graphprune {shown(record['kind'])[1:-1]}; {expected}")
    return record


@contextmanager
def _opened(path: str | Path, kind: str) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as opened:
            yield opened
    except (SafetensorError, OSError) as error:
        reason = shown(str(error), 200)
        raise UserError(
            f"{path}: damaged or not a safetensors file ({reason}); expected a graphprune {kind}"
        ) from error


def restore(model: nn.Module, path: str | Path, kind: str = "checkpoint") -> dict[str, str]:
    """Load the weights in ``path`` into ``model`` and return the file's metadata.

    Raises UserError, naming the file and the entry, if they are not this network's.
    """
    tensors, record = load(path, kind)
    fill(model, tensors, path)
    return record


def fill(model: nn.Module, tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Load ``tensors``, read from ``path``, into ``model``; errors as for `restore`."""
    state = model.state_dict()
    for name in sorted(state.keys() ^ tensors.keys()):
        where = "lacks" if name in state else "has an unknown entry"
        raise UserError(f"{path}: {where} {name!r}; expected the weights of this very network")
    for name, tensor in tensors.items():
        if tensor.shape != state[name].shape:
            shape, expected = tuple(tensor.shape), tuple(state[name].shape)
            raise UserError(f"{path}: {name!r} has shape {shape}; this network's is {expected}")
    model.load_state_dict(tensors)
