"""Published weights: fetched once, by one job on a machine with a network, and kept as results."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from graphprune import checkpoints
from graphprune.errors import UserError
from graphprune.files import file_digest
from graphprune.pretrained.published import facts, timm_for
from graphprune.pretrained.reading import read
from graphprune.pretrained.source import Source

if TYPE_CHECKING:
    from torch import Tensor

KIND = "weights"
# below the folder of the datasets: where files are fetched to, or put by hand
FOLDER = "weights"


def fetch(source: Source, folder: str | Path, download: bool = True) -> dict[str, Tensor]:
    """The tensors of the published weights ``source``.

    A file that lies in ``folder`` already is taken if it is the published one; its name holds the
    first digits of its SHA-256. Otherwise it is downloaded, if ``download``.

    Raises UserError, naming the file to fetch, if it is not there and cannot be downloaded, or is
    another than the published one.
    """
    if source.kind == "timm":
        return _from_timm(source.name, Path(folder))
    file = Path(folder) / facts(source).file
    if not file.is_file():
        if not download:
            raise UserError(f"{file}: no such file; put it there, or allow the download")
        _download(source, file)
    if not file_digest(file).startswith(_digits(file.name)):
        raise UserError(
            f"{file}: is not the published file, whose SHA-256 begins with {_digits(file.name)}; "
            "remove it and fetch that one"
        )
    return cast("dict[str, Tensor]", dict(read(file)))


def save(
    path: str | Path, tensors: Mapping[str, Tensor], source: Source, made: Mapping[str, object]
) -> None:
    """Write what `fetch` gave, atomically, as an artifact of the run."""
    checkpoints.save(path, tensors, KIND, {"source": source.text}, made)


def address(source: Source) -> str:
    """Where torchvision publishes the weights ``source``."""
    from graphprune.torchvision_import import torchvision

    return str(torchvision("models").get_weight(source.name).url)


def _digits(name: str) -> str:
    """The first digits of the SHA-256 of a published file, which its name holds.

    >>> _digits("resnet18-f37072fd.pth")
    'f37072fd'
    """
    found = re.search(r"-([0-9a-f]{8,})\.", name)
    assert found, name
    return found[1]


def _download(source: Source, file: Path) -> None:
    from torch.hub import download_url_to_file

    where = address(source)
    if where.rpartition("/")[2] != file.name:
        raise UserError(
            f"{source.text}: the torchvision that is installed publishes another file than "
            f"{file.name}; install the version in envs/torch.txt, or put that file into "
            f"{file.parent}"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        # it arrives under another name, and takes this one if its digest is the published one
        download_url_to_file(where, str(file), hash_prefix=_digits(file.name), progress=False)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{file}: could not be downloaded ({reason}); put it there") from error


def _from_timm(name: str, folder: Path) -> dict[str, Tensor]:
    """timm fetches by itself, and checks what it fetches."""
    timm = timm_for(name)
    try:
        model = timm.create_model(name, pretrained=True, cache_dir=str(folder / "timm"))
    except Exception as error:  # whatever the libraries below timm raise
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"timm:{name} could not be fetched ({reason})") from error
    return dict(model.state_dict())
