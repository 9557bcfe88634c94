"""What a mask leaves: groups of output rows that read the same input channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Blocks:
    """Rows of a layer sorted into groups of equal support.

    rows: output channels of each group, ascending; rows that read nothing are in no group.
    support: input channels each group reads, ascending, numbered over the whole layer.
    outputs, inputs: the layer's widths.
    """

    rows: tuple[Ints, ...]
    support: tuple[Ints, ...]
    outputs: int
    inputs: int

    @property
    def groups(self) -> int:
        return len(self.rows)

    @property
    def height(self) -> int:
        """Rows of the tallest group; the others are padded with zeros to this height."""
        return max((len(r) for r in self.rows), default=0)

    @property
    def width(self) -> int:
        """Inputs of the widest group; the others are padded with zeros to this width."""
        return max((len(s) for s in self.support), default=0)

    @property
    def density(self) -> float:
        """Multiplications of the padded blocks as a share of outputs x inputs."""
        return self.groups * self.height * self.width / (self.outputs * self.inputs)


def channel_support(layer: nn.Module, mask: Tensor) -> npt.NDArray[np.bool_]:
    """Which input channels every output channel reads, boolean ``(outputs, inputs)``.

    mask: boolean, of the weight's shape ``(outputs, inputs / groups, *kernel)``. A channel is read
    if one entry of its kernel is kept.
    """
    kept = mask.detach().cpu().flatten(2).any(-1) if mask.dim() > 2 else mask.detach().cpu()
    groups = int(getattr(layer, "groups", 1))
    outputs, per_group = kept.shape
    support = np.zeros((outputs, per_group * groups), dtype=np.bool_)
    rows = outputs // groups
    for g in range(groups):
        part = slice(g * rows, (g + 1) * rows)
        support[part, g * per_group : (g + 1) * per_group] = kept[part].numpy()
    return support


def blocks_of(support: npt.NDArray[np.bool_]) -> Blocks:
    """Group the rows of a boolean ``(outputs, inputs)`` matrix that are equal, in order of rows."""
    _, first, member = np.unique(support, axis=0, return_index=True, return_inverse=True)
    member = member.reshape(-1)
    rows, columns = [], []
    for group in np.argsort(first, kind="stable"):
        read = np.flatnonzero(support[first[group]])
        if len(read):
            rows.append(np.flatnonzero(member == group))
            columns.append(read)
    return Blocks(tuple(rows), tuple(columns), support.shape[0], support.shape[1])
