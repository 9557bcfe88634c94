"""The neural graph: one vertex a neuron, one edge a multiplication, kept in structured form.

Written out edge by edge, the graph of a CIFAR network has tens of millions of edges. Its structure
is far smaller. Every supported operation, from a linear layer to max pooling or a residual
addition, is a *connection*: a weight for each tap and channel pair, and the position pairs that
each tap joins. Edge lengths, neighbours and shortest paths are all read off this form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Layer:
    """A set of vertices: the values of one tensor after its nonlinearity.

    Vertex ``c * positions + i`` is channel ``c`` at position ``i`` (row-major over the map).

    name: dotted path of the module whose output it holds, ``"input"`` for the network's input.
    shape: ``(channels,)`` or ``(channels, height, width)``, without the batch dimension.
    role: ``"input"``, ``"hidden"`` or ``"output"``.
    """

    name: str
    shape: tuple[int, ...]
    role: str = "hidden"

    @property
    def channels(self) -> int:
        return self.shape[0]

    @property
    def positions(self) -> int:
        return prod(self.shape[1:])

    @property
    def size(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True, eq=False)
class Connection:
    """All edges from one layer to another that one operation makes.

    Edge (source channel ``source_channel + g*cin + b`` at position ``s``) → (target channel
    ``target_channel + g*cout + a`` at position ``t``) has weight ``weight[g, a, b, tap]`` for every
    row ``(s, t, tap)`` of ``pairs``; an edge of weight 0 does not exist. Its length is
    ``1 / |weight|``.

    source, target: indices into ``NeuralGraph.layers``; source < target.
    weight: float64 ``(groups, cout, cin, taps)``, per group; for a convolution ``taps`` is
        kh * kw, for a linear layer on a flattened map it is the map's positions, else 1.
    pairs: int64 ``(n, 3)``, the position pairs: rows ``(source position, target position, tap)``. A
        padded position is no vertex and makes no row.
    parameter: the weight's name in ``model.state_dict()``, None where nothing is learned
        (pooling, identity); such edges carry paths and neighbours but are never scored.
    parameter_shape: the parameter's shape; ``weight.reshape(parameter_shape)`` has the entries in
        the parameter's order (batch norm may have scaled them).
    source_channel, target_channel: first channel of the connection in either layer.
    """

    source: int
    target: int
    weight: Floats
    pairs: Ints
    parameter: str | None = None
    parameter_shape: tuple[int, ...] = ()
    source_channel: int = 0
    target_channel: int = 0

    @property
    def groups(self) -> int:
        return self.weight.shape[0]

    @property
    def edges(self) -> int:
        """Number of edges, those of weight 0 left out."""
        nonzero = np.count_nonzero(self.weight, axis=(0, 1, 2))
        return int(nonzero[self.pairs[:, 2]].sum())


@dataclass(frozen=True, eq=False)
class NeuralGraph:
    """Layers in topological order and the connections between them.

    ``layers[0]`` is the input, ``layers[-1]`` the output. A layer may have several incoming
    connections (a residual addition, a concatenation) and several outgoing ones.
    """

    layers: tuple[Layer, ...]
    connections: tuple[Connection, ...] = field(default=())

    def incoming(self, layer: int) -> tuple[Connection, ...]:
        return tuple(c for c in self.connections if c.target == layer)

    def outgoing(self, layer: int) -> tuple[Connection, ...]:
        return tuple(c for c in self.connections if c.source == layer)

    @property
    def vertices(self) -> int:
        return sum(layer.size for layer in self.layers)

    @property
    def edges(self) -> int:
        return sum(connection.edges for connection in self.connections)
