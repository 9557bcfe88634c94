"""Regular graph pruning: a regular graph of short paths decides which channel groups connect."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from graphprune.methods.base import Method, Result, Seed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graphprune.regular_graphs.mapping import LayerPlan
    from graphprune.regular_graphs.measures import Adjacency


@dataclass(frozen=True)
class RGP(Method):
    """importance = A_ij (1 keep, 0 remove) of the channel groups i, j a weight lies between.

    A is a connected k-regular graph on n nodes of short average path length (ASPL). Node i stands
    for the i-th group of a layer's output channels and of its input channels (the features, for a
    linear layer, also behind a flatten); weight block (i, j) stays iff A_ij, whole kernels at once,
    so a layer's density is k/n. Layers with the same n have the same graph. k is the degree that
    brings the network's density nearest 1 − sparsity; the *achieved* sparsity is in the report.

    Report: sparsity (achieved) and sparsity_wanted; nodes, degree, aspl, moore_bound, aspl_gap,
    diameter and spectral_gap of the graph that covers most weights; nodes/, degree/ and density/
    followed by the parameter's name for every layer (0 nodes: dense).

    Paper: Chen et al., Neural Network Pruning through Its Regular Graph Structure,
    arXiv 2110.15192.

    >>> scores = RGP(sparsity=0.75, seed=1).run(model).scores
    """

    name: ClassVar[str] = "rgp"
    paper: ClassVar[str] = "arXiv 2110.15192"
    title: ClassVar[str] = "Regular graph (RGP)"
    colour: ClassVar[str] = "#009E73"
    marker: ClassVar[str] = "^"
    figures: ClassVar[tuple[str, ...]] = ("regular_graph",)
    per_sparsity: ClassVar[bool] = True
    decides_mask: ClassVar[bool] = True
    seeded: ClassVar[bool] = True

    sparsity: Annotated[
        float, Field(ge=0, lt=1, description="Wanted share of the weights to remove.")
    ] = 0.5
    seed: Annotated[
        Seed,
        Field(
            description="Seed of the graph search, and of the nodes that get one channel more "
            "where n does not divide the channels."
        ),
    ] = 0
    nodes: Annotated[
        int,
        Field(
            ge=3,
            le=4096,
            description="Nodes n of the graph; a layer with fewer input or output channels takes "
            "that many nodes.",
        ),
    ] = 64
    dense_first: Annotated[
        bool,
        Field(
            description="Whether the first convolution keeps every weight, as in the paper. A "
            "network without convolutions has its first layer mapped: there it holds most of the "
            "weights."
        ),
    ] = True
    dense_last: Annotated[
        bool | None,
        Field(
            description="Whether the last linear layer keeps every weight, as in the paper; null "
            "keeps it unless the wanted sparsity cannot be reached so."
        ),
    ] = None
    objective: Annotated[
        Literal["min", "max"] | Annotated[float, Field(gt=1)],
        Field(
            description="Average shortest path length to search for: the least, the most, or this "
            "one, for experiments."
        ),
    ] = "min"
    evaluations: Annotated[
        int | None,
        Field(
            ge=1,
            le=2**31,
            description="Graphs scored by the search; null chooses by the graph's size.",
        ),
    ] = None

    def run(
        self, model: nn.Module, inputs: Tensor | None = None, targets: Tensor | None = None
    ) -> Result:
        import torch

        from graphprune.regular_graphs.mapping import plan

        layers = plan(model, self.sparsity, self.nodes, self.dense_first, self.dense_last)
        scores = {layer.parameter: self._mask(layer).to(torch.float32) for layer in layers}
        return Result(scores, report=self._report(layers, scores))

    def graph(self, nodes: int, degree: int) -> Adjacency:
        """The graph layers with this many nodes get, boolean ``(nodes, nodes)``."""
        return _graph(nodes, degree, self.seed, self.objective, self.evaluations).copy()

    def _mask(self, layer: LayerPlan) -> Tensor:
        import torch

        from graphprune.regular_graphs.mapping import block_mask

        if layer.degree == layer.nodes:
            return torch.ones(layer.shape, dtype=torch.bool)
        graph = self.graph(layer.nodes, layer.degree)
        return block_mask(graph, layer.shape, layer.groups, self.seed)

    def _report(self, layers: list[LayerPlan], scores: dict[str, Tensor]) -> dict[str, float]:
        import torch

        from graphprune.regular_graphs.measures import describe

        total = sum(layer.size for layer in layers)
        kept = sum(int(score.sum(dtype=torch.float64)) for score in scores.values())
        report = {"sparsity": 1.0 - kept / total, "sparsity_wanted": self.sparsity}
        for layer in layers:
            report[f"nodes/{layer.parameter}"] = layer.nodes
            report[f"degree/{layer.parameter}"] = layer.degree
            report[f"density/{layer.parameter}"] = float(scores[layer.parameter].mean())
        sizes: dict[tuple[int, int], int] = {}
        for layer in layers:
            if layer.degree < layer.nodes:
                key = (layer.nodes, layer.degree)
                sizes[key] = sizes.get(key, 0) + layer.size
        if sizes:
            main = describe(self.graph(*max(sizes, key=lambda key: sizes[key])))
            report |= {
                "nodes": main.n,
                "degree": main.k,
                "aspl": main.aspl,
                "moore_bound": main.moore_bound,
                "aspl_gap": main.gap,
                "diameter": main.diameter,
                "spectral_gap": main.spectral_gap,
            }
        return report


@lru_cache(maxsize=64)
def _graph(
    nodes: int, degree: int, seed: int, objective: str | float, evaluations: int | None
) -> Adjacency:
    from graphprune.regular_graphs.search import regular_graph

    return regular_graph(nodes, degree, seed, objective=objective, evaluations=evaluations)
