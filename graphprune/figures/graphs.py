"""Graphs drawn: the regular graph of RGP, and small neural graphs coloured by curvature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, Normalize, TwoSlopeNorm

from graphprune.errors import UserError
from graphprune.figures.style import DARK, GREEN, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_EDGES = 1500
_MOST_DOTS = 40


@styled
def regular_graph(adjacency: npt.ArrayLike, title: str = "") -> Figure:
    """A regular graph on a circle, and its adjacency matrix: the pattern each layer receives.

    The heading gives n, k, the density k/n that layers keep, the average shortest path length
    (ASPL) and its lower bound for (n, k) (Moore).

    adjacency: boolean (n, n), symmetric, no self-loops, connected; otherwise UserError.
    """
    from graphprune.regular_graphs.measures import describe

    matrix = np.asarray(adjacency, dtype=np.bool_)
    facts = describe(matrix)
    figure = new_figure(7.0, 4.4)
    circle, blocks = figure.subplots(1, 2)
    angle = np.pi / 2 - 2 * np.pi * np.arange(facts.n) / facts.n
    points = np.column_stack([np.cos(angle), np.sin(angle)])
    pairs = np.argwhere(np.triu(matrix))
    alpha = float(np.clip(30 / np.sqrt(len(pairs) * facts.k + 1), 0.15, 0.9))
    circle.add_collection(
        LineCollection(list(points[pairs]), colors=GREEN, linewidths=0.7, alpha=alpha)
    )
    circle.scatter(
        points[:, 0], points[:, 1], s=float(np.clip(900 / facts.n, 4, 40)), color=DARK, zorder=3
    )
    circle.set(xlim=(-1.08, 1.08), ylim=(-1.08, 1.08), aspect="equal")
    circle.axis("off")
    circle.set_title("Nodes: groups of channels")
    blocks.imshow(matrix, cmap="Greens", vmin=0, vmax=1.25, interpolation="nearest")
    blocks.set(xlabel="Input group", ylabel="Output group")
    blocks.set_title("Weight blocks kept")
    blocks.grid(False)
    heading = (
        f"n = {facts.n}, k = {facts.k}, density k/n = {100 * facts.k / facts.n:.3g} %, "
        f"ASPL {facts.aspl:.3f} (Moore bound {facts.moore_bound:.3f})"
    )
    figure.suptitle(f"{title}\n{heading}" if title else heading)
    return figure


@styled
def no_regular_graph(title: str = "") -> Figure:
    """What stands in place of `regular_graph` where every layer keeps all its weights.

    At a compression ratio close to 1 no layer has a graph of a degree below its nodes.
    """
    figure = new_figure(7.0, 4.4)
    figure.suptitle(title)
    figure.text(0.5, 0.5, "Every layer is dense: there is no graph to draw.", ha="center")
    return figure


@styled
def neural_graph(
    source: npt.ArrayLike,
    target: npt.ArrayLike,
    layer: npt.ArrayLike,
    curvature: npt.ArrayLike,
    names: tuple[str, ...] = (),
    title: str = "",
) -> Figure:
    """A small neural graph, its layers as columns, edges coloured by curvature.

    Drawn are the edges of most negative curvature, the bridges of the network: at most 1 500, over
    all layers together, so that they can be seen. Layers of more than 40 vertices are drawn as a
    line of dots without outline.

    source, target: vertex indices (m,) of the edges. layer: (vertices,) index of each vertex's
    layer, 0 for the input. curvature: κ (m,); NaN edges are left out. names: a name per layer.
    """
    tail, head = np.asarray(source, dtype=np.int64), np.asarray(target, dtype=np.int64)
    depth, kappa = np.asarray(layer, dtype=np.int64), np.asarray(curvature, dtype=np.float64)
    if not tail.shape == head.shape == kappa.shape or tail.ndim != 1:
        raise UserError("neural graph: source, target and curvature must be vectors of one length")
    if tail.size and max(tail.max(), head.max()) >= depth.size:
        raise UserError(f"neural graph: an edge names a vertex beyond the {depth.size} given")
    count = int(depth.max()) + 1
    points = _columns(depth, count)
    if np.isnan(kappa).all():
        raise UserError("neural graph: no edge has a curvature; at least one is needed")
    known = np.flatnonzero(~np.isnan(kappa))
    chosen = known[np.argsort(kappa[known], kind="stable")[:_MOST_EDGES]][::-1]
    drawn = kappa[chosen]
    colours = _colours(drawn)
    strength = np.clip(np.abs(drawn) / max(float(np.percentile(np.abs(drawn), 98)), 1e-9), 0.1, 1.0)
    figure = new_figure(max(5.0, 1.25 * count + 1.2), 4.4)
    ax = figure.subplots()
    lines = np.stack([points[tail[chosen]], points[head[chosen]]], axis=1)
    ax.add_collection(
        LineCollection(
            list(lines),
            colors=list(colours.to_rgba(drawn)),
            linewidths=list(0.3 + 1.2 * strength),
            zorder=1,
        )
    )
    for column in range(count):
        mine = points[depth == column]
        small = len(mine) > _MOST_DOTS
        ax.scatter(mine[:, 0], mine[:, 1], s=2 if small else 16, color=DARK, zorder=3, linewidths=0)
    labels = names or tuple(f"layer {column}" for column in range(count))
    sizes = np.bincount(depth, minlength=count)
    ax.set_xticks(
        range(count), [f"{n}\n({s})" for n, s in zip(labels, sizes, strict=True)]
    )  # fmt: skip
    ax.set_yticks([])
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set(xlim=(-0.3, count - 0.7), ylim=(-0.56, 0.56))
    figure.colorbar(colours, ax=ax, label="Curvature κ", shrink=0.8, extend="both")
    share = f"{chosen.size} of {tail.size} edges, most negative first"
    ax.set_title(f"{title}: {share}" if title else share, loc="left")
    return figure


def _colours(kappa: npt.NDArray[np.float64]) -> ScalarMappable:
    """Red below 0, blue above; only the half that occurs, without the outermost 2 %."""
    low, high = (float(x) for x in np.percentile(kappa, [2, 98]))
    scale = mpl.colormaps["RdBu"]
    if high <= 0:
        half = ListedColormap(scale(np.linspace(0.0, 0.42, 256)))
        return ScalarMappable(Normalize(low, max(high, low + 1e-9)), half)
    if low >= 0:
        half = ListedColormap(scale(np.linspace(0.58, 1.0, 256)))
        return ScalarMappable(Normalize(low, max(high, low + 1e-9)), half)
    return ScalarMappable(TwoSlopeNorm(0.0, low, high), scale)


def _columns(depth: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.float64]:
    """Vertices of layer i spread evenly over the column x = i, first at the top."""
    points = np.zeros((depth.size, 2))
    largest = max(np.bincount(depth).max(), 2)
    for column in range(count):
        mine = np.flatnonzero(depth == column)
        half = 0.5 * min(1.0, 0.35 + 0.65 * len(mine) / largest)
        points[mine, 0] = column
        points[mine, 1] = np.linspace(half, -half, len(mine)) if len(mine) > 1 else 0.0
    return points
