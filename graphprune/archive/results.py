"""What of a results folder is packed, and what is left out by name and digest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import yaml

from graphprune import checkpoints
from graphprune.archive.entries import Entry, as_json
from graphprune.errors import UserError
from graphprune.files import TEMPORARY, digested, file_digest, read_json
from graphprune.layout import ResultPaths, check_format
from graphprune.pretrained.source import Source
from graphprune.provenance.code import place_of

# what the results are called in every archive
INSIDE = ResultPaths("results")
# how to run them again: what --configfile is given
CONFIGURATION = "configuration.yaml"
# folder of the files that networks were taken over from
BROUGHT = "checkpoints"
# kinds of tensors that are packed always, and with the weights; others hold images
_ALWAYS, _WITH_WEIGHTS = {"mask", "regular graphs"}, {"checkpoint", "scores"}
# of this machine, of MLflow, or of a run that goes on
_FOLDERS = {"benchmarks", "live", "logs", "mlartifacts", "tracking", ".locks"}


def entries(folder: str | Path, weights: bool) -> Iterator[Entry]:
    """The files of the results in ``folder``, with a configuration that names no place.

    Raises UserError for a folder that no run has made, a damaged artifact, and a plug-in that is
    missing.
    """
    check_format(folder)
    paths = ResultPaths(str(Path(folder)))
    config, _ = read_json(paths.configuration, "the configuration of a run in its results")
    try:
        plugins: dict[str, Entry] = {}
        for name, entry in _plugins(config):
            if name in plugins:
                raise UserError(f"plug-ins: two files are called {name}; rename one and run again")
            plugins[name] = entry
        networks, brought = _networks(config["networks"])
        anywhere = {
            **config,
            "networks": networks,
            "results": INSIDE.results,
            "data": {**config["data"], "folder": "data"},
            "plugins": list(plugins),
        }
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{paths.configuration}: is not the configuration of a run ({error!r})"
        ) from error
    yield from plugins.values()
    yield from brought
    yield Entry(INSIDE.configuration, as_json(anywhere))
    yield Entry(CONFIGURATION, yaml.safe_dump(anywhere, sort_keys=False).encode())
    left_out: dict[str, str] = _left_out_before(paths)
    for path in _files(paths):
        inside = paths.inside(path)
        if path.endswith(".safetensors"):
            header = checkpoints.header(path)
            if not _packed(header["kind"], weights):
                left_out[inside] = header["content"]
                continue
        yield Entry(f"{INSIDE.results}/{inside}", Path(path))
    yield Entry(INSIDE.left_out, as_json(digested(dict(sorted(left_out.items())))))


def _packed(kind: str, weights: bool) -> bool:
    return kind in _ALWAYS or (weights and kind in _WITH_WEIGHTS)


def _left_out_before(paths: ResultPaths) -> dict[str, str]:
    """Of results that come out of an archive: what it had left out and is still not there."""
    if not Path(paths.left_out).exists():
        return {}
    before, _ = read_json(paths.left_out, "what an archive left out")
    return {name: held for name, held in before.items() if not Path(paths.results, name).exists()}


def _files(paths: ResultPaths) -> Iterator[str]:
    """The files that may be packed, in no order that matters."""
    apart = {paths.configuration, paths.batches, paths.left_out, paths.report, paths.database}
    recorded = paths.made(paths.record("any")).removesuffix("any.json.json").rstrip("/")
    for place, folders, names in os.walk(paths.results):
        if place == paths.results:
            folders[:] = [name for name in folders if name not in _FOLDERS]
        for name in names:
            path = f"{place}/{name}"
            passing = TEMPORARY.fullmatch(name) or ".partial." in name or place == recorded
            if path not in apart and not passing and not path.startswith(f"{paths.database}-"):
                yield path


def _networks(given: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[Entry]]:
    """The networks as the archive's configuration has them, and the files they come from.

    Such a file is packed, for a run cannot make it again; published weights are fetched again.
    """
    networks, files = [], {}
    for network in map(dict, given):
        source = Source.of(network.get("checkpoint", ""))
        if "checkpoint" in network and not source.published:
            path = Path(source.name)
            if not path.is_file() or file_digest(path) != network["sha256"]:
                raise UserError(
                    f"{path}: is not the file that {network['name']} was taken from; put it "
                    "back, or run again, then archive where the run was started"
                )
            network["checkpoint"] = f"{BROUGHT}/{network['sha256'][:12]}-{path.name}"
            files[network["checkpoint"]] = Entry(network["checkpoint"], path)
        networks.append(network)
    return networks, list(files.values())


def _plugins(config: dict[str, Any]) -> Iterator[tuple[str, Entry]]:
    """The plug-ins by the path that they have in the archive, which is also that of their code."""
    for path in config["plugins"]:
        if not Path(path).is_file():
            raise UserError(f"plug-in {path}: no such file; archive where the run was started")
        name = PurePath(place_of(Path(path).resolve())).as_posix()
        yield name, Entry(name, Path(path))
