"""Networks trained on given graphs: the runs behind accuracy against average path length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from graphprune import checkpoints
from graphprune.errors import UserError
from graphprune.masks import rescale
from graphprune.models import networks
from graphprune.regular_graphs.mapping import graph_masks
from graphprune.regular_graphs.measures import Adjacency, describe
from graphprune.training import evaluation
from graphprune.training.loop import Row, train
from graphprune.training.settings import Settings

if TYPE_CHECKING:
    from graphprune.data import Dataset
    from graphprune.training.resuming import Partial

KIND = "regular graphs"


def save_graphs(path: str | Path, graphs: Sequence[Adjacency]) -> None:
    """Write adjacency matrices, boolean ``(n, n)``, in their order, atomically as safetensors."""
    tensors = {f"graph{i:03d}": torch.from_numpy(graph) for i, graph in enumerate(graphs)}
    checkpoints.save(path, tensors, KIND)


def load_graphs(path: str | Path) -> list[Adjacency]:
    """Read what ``save_graphs`` wrote; UserError names a file that is missing or foreign."""
    tensors, _ = checkpoints.load(path, KIND)
    for name, graph in tensors.items():
        if graph.dtype != torch.bool or graph.ndim != 2 or graph.shape[0] != graph.shape[1]:
            raise UserError(f"{path}: {name} is no boolean matrix (n, n); remove it and run again")
    return [tensors[name].numpy() for name in sorted(tensors)]


def graph_table(graphs: Iterable[Adjacency]) -> list[dict[str, object]]:
    """A row per graph: graph (its number), n, k, aspl, moore_bound, gap, diameter, spectral_gap."""
    return [{"graph": i, **vars(describe(graph))} for i, graph in enumerate(graphs)]


def train_on_graph(
    graph: Adjacency,
    dataset: Dataset,
    model: str,
    seeds: Iterable[int],
    settings: Settings,
    on_epoch: Callable[[int, Row], None] | None = None,
    device: torch.device | str = "cpu",
    kept: Mapping[int, Partial] | None = None,
) -> list[dict[str, float]]:
    """Train networks whose masks are the graph's from the start, one for each seed.

    The graph is mapped to every layer at least as wide as it has nodes, except the first
    convolution and the last linear layer (``graph_masks``). Initial weights that are kept are
    scaled to the norm of their output channel (``masks.rescale``), as in the regime scratch. A seed
    sets the same initialisation and order of the examples for every graph, for a fair comparison.

    Parameters
    ----------
    graph : boolean ``(n, n)``, regular and connected.
    model : the model's name. seeds : one training each. settings : of the training; their seed is
        replaced.
    on_epoch : called with the seed and the row of each epoch.
    device : where they are trained and measured.
    kept : for each seed the file that keeps its training for a kill.

    Returns
    -------
    A row per seed: aspl, seed, params_total, params_kept, loss (mean of the last epoch),
    accuracy_validation, accuracy (test split; it decides nothing).

    Raises
    ------
    UserError : no layer is wide enough, and what ``graph_masks`` and ``train`` raise.
    """
    aspl = describe(graph).aspl
    rows = []
    for seed in seeds:
        shape, classes = dataset.input_shape, len(dataset.classes)
        identity = networks.Identity(dataset.name, model, shape, classes, seed)
        network = identity.build().to(device)
        masks = graph_masks(network, graph)
        if all(bool(mask.all()) for mask in masks.values()):
            raise UserError(
                f"no layer of {model} takes a graph of {len(graph)} nodes; allowed: at most the "
                "smaller width of some layer between the first convolution and the last layer"
            )
        rescale(network, masks)
        history = train(
            network,
            dataset.train,
            replace(settings, seed=seed),
            masks,
            dataset.validation,
            None if on_epoch is None else partial(on_epoch, seed),
            dataset.scaling,
            kept[seed] if kept else None,
        )
        rows.append(
            {
                "aspl": aspl,
                "seed": seed,
                "params_total": sum(mask.numel() for mask in masks.values()),
                "params_kept": sum(int(mask.sum()) for mask in masks.values()),
                "loss": history[-1]["loss"] if history else float("nan"),
                "accuracy_validation": evaluation.accuracy(network, dataset.validation),
                "accuracy": evaluation.accuracy(network, dataset.test),
            }
        )
    return rows
