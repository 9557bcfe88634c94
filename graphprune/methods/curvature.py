"""Neural curvature: importance of a weight from the curvature of its edges in the neural graph."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from graphprune.curvature.definitions import ALPHA, check_alpha
from graphprune.errors import UserError, one_of
from graphprune.masks import prunable
from graphprune.methods.base import Method, Result
from graphprune.neural_graph.tracing import trace
from graphprune.neural_graph.vertex_values import values

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graphprune.neural_graph.structure import Floats, NeuralGraph

SOLVERS = ("exact", "reference")


@dataclass(frozen=True)
class Curvature(Method):
    """importance = −κ_min: minus the least curvature over positions and examples, in float64.

    κ(u, v) = (1 − W₁(μ_u, ν_v) / ℓ(u, v)) / (1 − α) on the neural graph; an edge that is inactive
    for an example counts as 2 between hidden layers and 1 at the input and the output. A weight
    without an edge (it is 0, or only ever meets padding) has importance −∞.

    alpha: idleness, 0 ≤ α < 1.
    fold_batchnorm: multiply batch norm's scale into the weights that make edge lengths.
    solver: "exact" (base problems, bounds, warm starts; numba) or "reference" (POT, edge by edge).
    tolerance: of κ_min; 0 is exact, more lets the exact solver stop earlier with a certified error.
    threads: of the exact solver, 0 for all cores; the result does not depend on it.

    The examples should be correctly classified ones, a few of each class. Paper: arXiv 2601.16366.
    """

    name: ClassVar[str] = "curvature"
    paper: ClassVar[str] = "arXiv 2601.16366"
    examples: ClassVar[str] = "calibration"

    alpha: float = ALPHA
    fold_batchnorm: bool = False
    solver: str = "exact"
    tolerance: float = 0.0
    threads: int = 0

    def __post_init__(self) -> None:
        check_alpha(self.alpha)
        if self.solver not in SOLVERS:
            raise one_of("solver", self.solver, SOLVERS)
        if not self.tolerance >= 0.0:
            raise UserError(f"tolerance is {self.tolerance}; allowed: tolerance >= 0")
        if self.threads < 0:
            raise UserError(f"threads is {self.threads}; allowed: 0 (all cores) or more")

    def run(
        self, model: nn.Module, inputs: Tensor | None = None, targets: Tensor | None = None
    ) -> Result:
        if inputs is None:
            raise UserError("method curvature needs inputs: the examples whose curvature counts")
        start = time.perf_counter()
        traced = trace(model, tuple(inputs.shape[1:]), fold_batchnorm=self.fold_batchnorm)
        kappa, details = self._curvatures(traced.graph, values(traced, inputs))
        report = {
            **details,
            "examples": float(len(inputs)),
            "vertices": float(traced.graph.vertices),
            "edges": float(traced.graph.edges),
            "seconds": time.perf_counter() - start,
        }
        scores = {}
        for name, weight in prunable(model).items():
            if name not in kappa:
                raise UserError(f"{name} plays no part in the output; its curvature is undefined")
            scores[name] = -torch.from_numpy(kappa[name]).reshape(weight.shape)
        return Result(scores, report=report)

    def _curvatures(
        self, graph: NeuralGraph, levels: list[Floats]
    ) -> tuple[dict[str, Floats], dict[str, float]]:
        """κ_min by parameter name, and numbers about how it was found."""
        if self.solver == "reference":
            from graphprune.curvature import reference

            return reference.parameter_curvatures(graph, levels, self.alpha), {}
        from graphprune.curvature import exact

        found = exact.parameter_curvatures(
            graph, levels, self.alpha, self.tolerance, self.threads or None
        )
        largest = max((float(e.max(initial=0.0)) for e in found.error.values()), default=0.0)
        return found.kappa, {**found.statistics, "certified_error": largest}
