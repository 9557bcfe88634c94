"""Neural curvature: importance of a weight from the curvature of its edges in the neural graph."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from graphprune.defaults import ALPHA
from graphprune.errors import UserError
from graphprune.methods.base import Examples, Method, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from graphprune.neural_graph.structure import Floats, NeuralGraph


@dataclass(frozen=True)
class Curvature(Method):
    """importance = −κ_min: minus the least curvature over positions and examples, in float64.

    κ(u, v) = (1 − W₁(μ_u, ν_v) / ℓ(u, v)) / (1 − α) on the neural graph; an edge that is inactive
    for an example counts as 2 between hidden layers and 1 at the input and the output. A weight
    without an edge (it is 0, or only ever meets padding) has importance −∞.

    The examples should be correctly classified ones, a few of each class. Paper: arXiv 2601.16366.
    """

    name: ClassVar[str] = "curvature"
    paper: ClassVar[str] = "arXiv 2601.16366"
    title: ClassVar[str] = "Neural curvature"
    colour: ClassVar[str] = "#D55E00"
    marker: ClassVar[str] = "D"
    examples: ClassVar[Examples] = "calibration"
    divisible: ClassVar[bool] = True
    figures: ClassVar[tuple[str, ...]] = ("removal_curves",)
    graph_options: ClassVar[tuple[str, ...]] = ("alpha", "fold_batchnorm", "edge_length")

    alpha: Annotated[float, Field(ge=0, lt=1, description="Idleness α.")] = ALPHA
    fold_batchnorm: Annotated[
        bool,
        Field(
            description="Whether batch norm's scale is multiplied into the weights that make edge "
            "lengths."
        ),
    ] = False
    edge_length: Annotated[
        Literal["weight", "tanh"],
        Field(
            description="Length of an edge: `weight` is 1 over the weight's size; `tanh`, as in "
            "the official code for tanh networks, divides it by the lesser tanh(z)/z of its ends."
        ),
    ] = "weight"
    solver: Annotated[
        Literal["exact", "reference"],
        Field(
            description="The exact solver (base problems, bounds, warm starts), or the plain one "
            "that it is tested against (POT, edge by edge)."
        ),
    ] = "exact"
    tolerance: Annotated[
        float,
        Field(
            ge=0,
            description="Certified error allowed on κ_min; 0 is exact, more lets the exact solver "
            "stop earlier.",
        ),
    ] = 0.0
    threads: Annotated[
        int,
        Field(
            ge=0,
            description="Threads of the exact solver, 0 for all cores; the result does not depend "
            "on it.",
        ),
    ] = 0

    @classmethod
    def refuses(cls, model: nn.Module, input_shape: tuple[int, ...]) -> str:
        from graphprune.masks import prunable
        from graphprune.neural_graph.tracing import trace

        try:
            graph = trace(model, input_shape).graph
        except UserError as error:
            return str(error)
        scored = {connection.parameter for connection in graph.connections}
        idle = [name for name in prunable(model) if name not in scored]
        return f"{idle[0]} plays no part in the output" if idle else ""

    def run(
        self, model: nn.Module, inputs: Tensor | None = None, targets: Tensor | None = None
    ) -> Result:
        return self.run_part(model, inputs, 0, 1)

    def run_part(
        self,
        model: nn.Module,
        inputs: Tensor | None,
        part: int,
        parts: int,
        targets: Tensor | None = None,
    ) -> Result:
        """As `run`, by the examples of one of ``parts`` equal parts; `gather` joins them all.

        The network is evaluated on all ``inputs`` together, for its outputs depend in their last
        bits on the size of a batch. part: 0 ≤ part < parts ≤ number of examples.

        >>> gather([method.run_part(model, inputs, part, 4) for part in range(4)])
        """
        import numpy as np
        import torch

        from graphprune.curvature.definitions import ROUNDING, check_bounds
        from graphprune.masks import prunable
        from graphprune.neural_graph.tracing import trace
        from graphprune.neural_graph.vertex_values import tanh_factors, values

        if inputs is None:
            raise UserError("method curvature needs inputs: the examples whose curvature counts")
        if not 0 <= part < parts <= len(inputs):
            raise UserError(
                f"part is {part} of {parts}; allowed: at most one part for each of the "
                f"{len(inputs)} examples (calibration.parts)"
            )
        start = time.perf_counter()
        traced = trace(model, tuple(inputs.shape[1:]), fold_batchnorm=self.fold_batchnorm)
        own = np.array_split(np.arange(len(inputs)), parts)[part]
        levels = [level[own] for level in values(traced, inputs)]
        factors = None
        if self.edge_length == "tanh":
            factors = [of_layer[own] for of_layer in tanh_factors(traced, inputs)]
        kappa, details = self._curvatures(traced.graph, levels, factors)
        slack = ROUNDING + details.get("certified_error", 0.0)
        check_bounds(kappa, traced.graph, self.alpha, slack)
        report = {
            **details,
            "examples": float(len(own)),
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

    @classmethod
    def gather(cls, results: Sequence[Result]) -> Result:
        return gather(results)

    def _curvatures(
        self, graph: NeuralGraph, levels: list[Floats], factors: list[Floats] | None
    ) -> tuple[dict[str, Floats], dict[str, float]]:
        """κ_min by parameter name, and numbers about how it was found."""
        if self.solver == "reference":
            from graphprune.curvature import reference

            return reference.parameter_curvatures(graph, levels, self.alpha, factors), {}
        from graphprune.curvature import exact

        found = exact.parameter_curvatures(
            graph, levels, self.alpha, self.tolerance, self.threads or None, factors
        )
        largest = max((float(e.max(initial=0.0)) for e in found.error.values()), default=0.0)
        return found.kappa, {**found.statistics, "certified_error": largest}


# of a report, what is that of the network and what is the worst of the parts; the rest adds up
_OF_THE_NETWORK = ("vertices", "edges")
_WORST = ("certified_error",)


def gather(parts: Sequence[Result]) -> Result:
    """The result of all examples from those of their parts: −κ_min is the largest of all −κ_min.

    Exactly what `Curvature.run` gives, bit by bit, if tolerance is 0; otherwise each of the two is
    within the tolerance of the exact minimum.

    Raises UserError if there are no parts, or if they score different parameters.
    """
    if not parts or any(part.scores.keys() != parts[0].scores.keys() for part in parts):
        raise UserError("parts of a curvature score are missing, or of different networks")
    import torch

    scores = {
        name: torch.stack([part.scores[name] for part in parts]).amax(0) for name in parts[0].scores
    }
    report = {}
    for key in parts[0].report:
        numbers = [part.report[key] for part in parts]
        report[key] = max(numbers) if key in (*_OF_THE_NETWORK, *_WORST) else sum(numbers)
    return Result(scores, report=report)
