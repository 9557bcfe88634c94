"""Neural curvature straight from its definition, independent of the package's own machinery.

The network is run by torch with hooks on the modules of its layers, its edges are found by
differentiating each operation, distances come from networkx on the graph written out, the
transport problem is a linear program for scipy. Tiny networks only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
import torch
from scipy.optimize import linprog
from torch import nn

Vertex = tuple[str, int]


@dataclass
class Edge:
    """An edge u→v; ``weight`` is (parameter name, flat index) for a learned one, else None."""

    tail: Vertex
    head: Vertex
    length: float
    weight: tuple[str, int] | None


class Network:
    """A graph of vertices (layer, index) with values, made by hand or by ``differentiate``."""

    def __init__(self) -> None:
        self.edges: list[Edge] = []
        self.values: dict[Vertex, float] = {}
        # with factors an edge is longer by the lesser one of its ends, and paths are as they were
        self.factors: dict[Vertex, float] = {}
        self.layers: list[str] = []

    def add_layer(self, name: str, activations: torch.Tensor) -> None:
        """Append a layer; values are |activations| min–max scaled."""
        magnitude = [abs(a) for a in activations.tolist()]
        low, high = min(magnitude), max(magnitude)
        self.layers.append(name)
        for i, a in enumerate(magnitude):
            self.values[name, i] = (a - low) / (high - low) if high > low else 0.0

    def connect(self, tail: str, head: str, operation: Any, inputs: torch.Tensor) -> None:
        """Edges of a linear ``operation`` without parameters: its Jacobian's non-zero entries."""
        jacobian = torch.autograd.functional.jacobian(operation, inputs)
        matrix = jacobian.reshape(-1, inputs.numel())
        for v, u in matrix.nonzero().tolist():
            length = 1 / abs(float(matrix[v, u]))
            self.edges.append(Edge((tail, u), (head, v), length, None))

    def connect_max(self, tail: str, head: str, module: nn.Module, shape: tuple[int, ...]) -> None:
        """Edges of max pooling: each input that can reach an output, weight 1."""
        size = math.prod(shape)
        for u in range(size):
            x = torch.full((size,), -1.0, dtype=torch.float64)
            x[u] = 1.0
            out = module(x.reshape(1, *shape)).flatten()
            for v in (out > 0).nonzero().flatten().tolist():
                self.edges.append(Edge((tail, u), (head, v), 1.0, None))

    def connect_learned(
        self, tail: str, head: str, name: str, module: nn.Module, inputs: torch.Tensor
    ) -> None:
        """Edges of a linear or convolution layer: each weight alone at 1 shows where it acts."""
        original = module.weight.detach().clone()
        out_size = module(inputs).numel()
        for index in range(original.numel()):
            if original.flatten()[index] == 0:
                continue
            with torch.no_grad():
                module.weight.zero_()
                module.weight.view(-1)[index] = 1.0
            jacobian = torch.autograd.functional.jacobian(module, inputs)
            for v, u in jacobian.reshape(out_size, -1).nonzero().tolist():
                length = 1 / abs(float(original.flatten()[index]))
                self.edges.append(Edge((tail, u), (head, v), length, (name, index)))
        with torch.no_grad():
            module.weight.copy_(original)

    # ---- the definition

    def directed_graph(self) -> nx.DiGraph:
        graph = nx.DiGraph()
        graph.add_nodes_from(self.values)
        for edge in self.edges:
            known = graph.get_edge_data(edge.tail, edge.head, {"length": math.inf})["length"]
            graph.add_edge(edge.tail, edge.head, length=min(known, edge.length))
        return graph

    def measure(self, vertex: Vertex, neighbours: list[Vertex], alpha: float) -> dict:
        active = [k for k in neighbours if self.values[k] > 0]
        if not active:
            return {vertex: 1.0}
        pull = {k: math.exp(-1 / self.values[k] ** 2) for k in active}
        total = sum(pull.values())
        if total <= 1e-7:
            pull, total = dict.fromkeys(active, 1.0), float(len(active))
        masses = {k: (1 - alpha) * p / total for k, p in pull.items()}
        masses[vertex] = alpha
        return masses

    def curvature(
        self, edge: Edge, alpha: float, graph: nx.DiGraph, distances: dict[Vertex, dict]
    ) -> float:
        first, last = self.layers[0], self.layers[-1]
        u, v = edge.tail, edge.head
        for end in (u, v):
            if end[0] not in (first, last) and self.values[end] == 0:
                return 1.0 if u[0] == first or v[0] == last else 2.0
        mu = self.measure(u, list(graph.predecessors(u)), alpha)
        nu = self.measure(v, list(graph.successors(v)), alpha)
        length = edge.length
        if self.factors:
            length /= min(self.factors[u], self.factors[v])
        cost = [
            [length if self.factors and (k, m) == (u, v) else distances[k][m] for m in nu]
            for k in mu
        ]
        w1 = transport(list(mu.values()), list(nu.values()), np.array(cost) / length)
        return (1 - w1) / (1 - alpha)

    def parameter_curvatures(self, alpha: float) -> dict[tuple[str, int], float]:
        """The least curvature over the edges of each weight."""
        graph = self.directed_graph()
        distances = dict(nx.all_pairs_dijkstra_path_length(graph, weight="length"))
        least: dict[tuple[str, int], float] = {}
        for edge in self.edges:
            if edge.weight is not None:
                kappa = self.curvature(edge, alpha, graph, distances)
                least[edge.weight] = min(least.get(edge.weight, math.inf), kappa)
        return least


def transport(a: list[float], b: list[float], cost: np.ndarray) -> float:
    """min ⟨P, cost⟩ with the given marginals, as a linear program.

    The solver may miss each mass by its tolerance; scaled up, that is next to nothing.
    """
    n, m = cost.shape
    scale = 1e6
    rows = np.kron(np.eye(n), np.ones(m))
    columns = np.kron(np.ones(n), np.eye(m))
    found = linprog(
        cost.ravel(),
        A_eq=np.vstack([rows, columns[:-1]]),
        b_eq=scale * np.concatenate([a, b[:-1]]),
        bounds=(0, None),
        method="highs",
    )
    assert found.status == 0, found.message
    return float(found.fun) / scale
