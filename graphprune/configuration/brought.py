"""Networks that were trained elsewhere: their files found, what is published of them filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from graphprune.configuration.folders import file_beside
from graphprune.data.catalog import describe
from graphprune.data.preprocess import Preprocess
from graphprune.errors import UserError
from graphprune.files import file_digest
from graphprune.pretrained import published
from graphprune.pretrained.reading import SUFFIXES
from graphprune.pretrained.source import Source

Network = dict[str, Any]
# what says how a network is trained, or belongs to one that is not trained here
_OF_BROUGHT = ("sha256", "preprocess")


def filled(network: Network, where: str, beside: Path | None, look: bool = True) -> Network:
    """The entry ``network`` of the configuration with path, digest and preprocessing filled in.

    where: its place in the configuration. look: whether to look at its file; else what the entry
    says is taken as it is.

    Raises UserError for a file that is not there or another than ``sha256`` says, for published
    weights that are not known, and for keys that do not go together.
    """
    if network.get("checkpoint") is None:
        for key in _OF_BROUGHT:
            if network.get(key) is not None:
                raise UserError(f"{where}.{key} is about a `checkpoint`, which is not given")
        return {
            key: value for key, value in network.items() if key not in ("checkpoint", *_OF_BROUGHT)
        }
    if network.get("train"):
        raise UserError(
            f"{where}.train: this network comes from {where}.checkpoint and is not trained; "
            "remove one of the two"
        )
    source = Source.of(network["checkpoint"])
    full = {key: value for key, value in network.items() if value is not None}
    if source.published:
        return _published(full, source, where) if look else _with_preprocess(full, {}, where)
    if Path(source.name).suffix not in SUFFIXES:
        raise UserError(
            f"{where}.checkpoint is {source.name!r}; allowed: a file {', '.join(SUFFIXES)}, or "
            "published weights (weights:NAME, timm:NAME)"
        )
    if look:
        full["checkpoint"] = file_beside(f"{where}.checkpoint", source.name, beside)
        full["sha256"] = _digest(full, where)
    return _with_preprocess(full, {}, where)


def _digest(network: Network, where: str) -> str:
    path = network["checkpoint"]
    try:
        found = file_digest(path)
    except OSError as error:
        raise UserError(f"{where}.checkpoint: {path}: {error.strerror}") from error
    if network.get("sha256", found) != found:
        raise UserError(
            f"{where}.sha256 is {network['sha256']}; {path} has {found}, so it is another file"
        )
    return found


def _published(network: Network, source: Source, where: str) -> Network:
    if "sha256" in network:
        raise UserError(
            f"{where}.sha256 is of a file; published weights have a digest of their own"
        )
    try:
        known = published.facts(source)
    except UserError as error:
        raise UserError(f"{where}.checkpoint: {error}") from error
    needed = describe(network["dataset"]).num_classes
    if known.outputs != needed:
        raise UserError(
            f"{where}.checkpoint: {source.text} tells {known.outputs} classes apart; dataset "
            f"{network['dataset']} has {needed}"
        )
    return _with_preprocess(network, known.preprocess, where)


def _with_preprocess(network: Network, known: Mapping[str, object], where: str) -> Network:
    given = network.pop("preprocess", None)
    if not given and not known:
        return network
    try:
        whole = Preprocess.of({**known, **(given or {})})
        description = describe(network["dataset"])
        whole.shape(description.input_shape)
        whole.check_classes(description.classes, network["dataset"])
    except UserError as error:
        raise UserError(f"{where}.preprocess: {error}") from error
    listed = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(whole).items()}
    return {**network, "preprocess": listed}


def is_brought(network: Mapping[str, Any]) -> bool:
    """Whether the network is taken over and not trained here."""
    return "checkpoint" in network


def shape_of(network: Mapping[str, Any]) -> tuple[int, int, int]:
    """The shape (channels, height, width) of the network's inputs."""
    own = describe(network["dataset"]).input_shape
    return Preprocess.of(network["preprocess"]).shape(own) if "preprocess" in network else own


def published_accuracy(network: Mapping[str, Any]) -> str:
    """What is published of the network's accuracy, in words; empty where nothing is.

    >>> published_accuracy({"checkpoint": "weights:ResNet18_Weights.IMAGENET1K_V1"})
    '0.69758 on ImageNet-1K'
    """
    source = Source.of(network.get("checkpoint", ""))
    known = published.facts(source) if source.published else None
    return f"{known.accuracy} on {known.of}" if known and known.accuracy is not None else ""


def recorded(network: Mapping[str, Any]) -> dict[str, object]:
    """What the record says of where the network comes from; nothing of one that is trained here.

    A file is named without its folder.
    """
    if not is_brought(network):
        return {}
    source = Source.of(network["checkpoint"])
    seen = {f"preprocess/{key}": value for key, value in network.get("preprocess", {}).items()}
    name = source.text if source.published else Path(source.name).name
    return {"checkpoint": name, **seen}


def remarks(network: Mapping[str, Any]) -> str:
    """What the user is to know of a network before it is taken over; empty if there is nothing."""
    if is_brought(network) and "preprocess" not in network:
        return (
            f"{network['dataset']}/{network['name']}: no `preprocess` is given for its checkpoint, "
            "so it sees the dataset's own scaling; it is to be the one it was trained with"
        )
    return ""
