"""Block layout: gather the inputs that each group of rows reads, multiply small dense blocks."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from graphprune.compaction.structure import Blocks

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
# a linear layer is computed transposed, examples last, for at least this many examples
WIDE_BATCH = 8


class _Placement(nn.Module):
    """Moves the rows of the blocks, along ``dim``, to their places among the layer's outputs."""

    order: Tensor
    source: Tensor
    target: Tensor
    constant: Tensor

    def __init__(self, blocks: Blocks, bias: Tensor | None, dtype: torch.dtype) -> None:
        super().__init__()
        rows = -np.ones((blocks.groups, blocks.height), dtype=np.int64)
        for group, members in enumerate(blocks.rows):
            rows[group, : len(members)] = members
        flat = rows.reshape(-1)
        self.outputs = blocks.outputs
        self.complete = int((flat >= 0).sum()) == blocks.outputs
        self.identity = len(flat) == blocks.outputs and bool((flat == np.arange(len(flat))).all())
        order = np.full(blocks.outputs, -1, dtype=np.int64)
        order[flat[flat >= 0]] = np.flatnonzero(flat >= 0)
        if self.complete and not self.identity:
            self.register_buffer("order", torch.from_numpy(order.astype(np.int32)))
        if not self.complete:
            self.register_buffer("source", torch.from_numpy(np.flatnonzero(flat >= 0)))
            self.register_buffer("target", torch.from_numpy(flat[flat >= 0]))
            constant = bias.detach().clone() if bias is not None else torch.zeros(blocks.outputs)
            self.register_buffer("constant", constant.to(dtype))

    def forward(self, values: Tensor, dim: int) -> Tensor:
        if self.identity:
            return values
        if self.complete:
            return values.index_select(dim, self.order)
        shape, view = list(values.shape), [1] * values.dim()
        shape[dim], view[dim] = self.outputs, self.outputs
        placed = self.constant.view(view).expand(shape).clone()
        return placed.index_copy_(dim, self.target, values.index_select(dim, self.source))


def _packed(blocks: Blocks, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Weights ``(groups, height, width, ...)``, biases ``(groups, height)`` and gathered inputs.

    weight: ``(outputs, inputs, ...)``, zero where nothing is read. A group that is smaller than
    the largest is padded: its empty places hold weight 0 and gather channel 0.
    """
    shape = (blocks.groups, blocks.height, blocks.width, *weight.shape[2:])
    packed = weight.new_zeros(shape)
    offsets = weight.new_zeros(shape[:2])
    gathered = torch.zeros(shape[0], shape[2], dtype=torch.int32)
    for g, (rows, columns) in enumerate(zip(blocks.rows, blocks.support, strict=True)):
        r, c = torch.from_numpy(rows), torch.from_numpy(columns)
        packed[g, : len(r), : len(c)] = weight[r][:, c]
        gathered[g, : len(c)] = c.to(torch.int32)
        if bias is not None:
            offsets[g, : len(r)] = bias[r]
    return packed, offsets, gathered.flatten()


def _all_in_order(gathered: Tensor, inputs: int) -> bool:
    return len(gathered) == inputs and bool((gathered == torch.arange(inputs)).all())


class BlockLinear(nn.Module):
    """A linear layer as one batched product of ``groups`` blocks ``(height, width)``."""

    inputs: Tensor

    def __init__(self, layer: nn.Linear, weight: Tensor, blocks: Blocks) -> None:
        super().__init__()
        bias = None if layer.bias is None else layer.bias.detach()
        packed, offsets, gathered = _packed(blocks, weight, bias)
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.weight = nn.Parameter(packed, requires_grad=False)
        self.bias = nn.Parameter(offsets.unsqueeze(-1).contiguous(), requires_grad=False)
        self.gather = not _all_in_order(gathered, layer.in_features)
        if self.gather:
            self.register_buffer("inputs", gathered)
        self.placement = _Placement(blocks, bias, weight.dtype)

    def forward(self, x: Tensor) -> Tensor:
        groups, height, width = self.weight.shape
        flat = x.reshape(-1, self.in_features)
        batch = len(flat)
        if batch < WIDE_BATCH:
            read = flat.index_select(1, self.inputs) if self.gather else flat
            blocks = read.view(batch, groups, width).transpose(0, 1)
            values = torch.baddbmm(self.bias.mT, blocks, self.weight.mT)
            placed = self.placement(values.transpose(0, 1).reshape(batch, groups * height), 1)
        else:
            # gathering rows of a contiguous tensor copies whole rows
            flat = flat.t().contiguous()
            read = flat.index_select(0, self.inputs) if self.gather else flat
            values = torch.baddbmm(self.bias, self.weight, read.view(groups, width, batch))
            placed = self.placement(values.view(groups * height, batch), 0).t()
        result: Tensor = placed.reshape(*x.shape[:-1], self.out_features)
        return result

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, blocks={tuple(self.weight.shape)}"


class BlockConv(nn.Module):
    """A convolution as a grouped convolution of the gathered input channels."""

    inputs: Tensor

    def __init__(self, layer: Convolution, weight: Tensor, blocks: Blocks) -> None:
        super().__init__()
        bias = None if layer.bias is None else layer.bias.detach()
        packed, offsets, gathered = _packed(blocks, weight, bias)
        groups, height, width = packed.shape[:3]
        self.convolution = type(layer)(
            groups * width,
            groups * height,
            layer.kernel_size,  # type: ignore[arg-type]
            stride=layer.stride,  # type: ignore[arg-type]
            padding=layer.padding,  # type: ignore[arg-type]
            dilation=layer.dilation,  # type: ignore[arg-type]
            groups=groups,
            bias=bias is not None,
            padding_mode=layer.padding_mode,
            dtype=weight.dtype,
        )
        self.convolution.weight.data = packed.flatten(0, 1)
        if self.convolution.bias is not None:
            self.convolution.bias.data = offsets.flatten()
        self.gather = not _all_in_order(gathered, layer.in_channels)
        if self.gather:
            self.register_buffer("inputs", gathered)
        self.placement = _Placement(blocks, bias, weight.dtype)

    def forward(self, x: Tensor) -> Tensor:
        dim = 1 if x.dim() == len(self.convolution.kernel_size) + 2 else 0
        read = x.index_select(dim, self.inputs) if self.gather else x
        placed: Tensor = self.placement(self.convolution(read), dim)
        return placed
