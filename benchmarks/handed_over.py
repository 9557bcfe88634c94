"""A neural graph and its vertex values in one file, from the process that trains to another one.

Arrays and a description in JSON: reading the file runs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from graphprune.neural_graph.structure import Connection, Floats, Layer, NeuralGraph


def save(path: Path, graph: NeuralGraph, values: Sequence[Floats], accuracy: float) -> None:
    """Write the graph, the values by layer ``(examples, vertices)``, and an accuracy."""
    arrays: dict[str, np.ndarray] = {f"values{i}": array for i, array in enumerate(values)}
    connections = []
    for i, connection in enumerate(graph.connections):
        fields = {**vars(connection)}
        arrays |= {f"{name}{i}": fields.pop(name) for name in ("weight", "pairs")}
        connections.append(fields)
    layers = [asdict(layer) for layer in graph.layers]
    described = {"layers": layers, "connections": connections, "accuracy": accuracy}
    with path.open("wb") as stream:
        np.savez(stream, description=np.array(json.dumps(described)), **arrays)


def load(path: Path) -> tuple[NeuralGraph, list[Floats], float]:
    """What :func:`save` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        described = json.loads(str(arrays["description"]))
        layers = tuple(
            Layer(**{**fields, "shape": tuple(fields["shape"])}) for fields in described["layers"]
        )
        connections = tuple(
            Connection(
                **{**fields, "parameter_shape": tuple(fields["parameter_shape"])},
                weight=arrays[f"weight{i}"],
                pairs=arrays[f"pairs{i}"],
            )
            for i, fields in enumerate(described["connections"])
        )
        values = [arrays[f"values{i}"] for i in range(len(layers))]
    return NeuralGraph(layers, connections), values, described["accuracy"]
