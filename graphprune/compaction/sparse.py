"""Sparse layout: every output row sums only the shifted inputs whose weights are kept (CPU)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from graphprune.compaction.blocks import WIDE_BATCH
from graphprune.errors import UserError

Ints = npt.NDArray[np.int64]
Packed = tuple[Ints, npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]
# with at least this many multiplications several threads are faster than one
PARALLEL_WORK = 2**21
ONE_TAP: Ints = np.zeros(1, dtype=np.int64)


def _index_type(size: int) -> torch.dtype:
    """The smaller integer type that numbers ``size`` places."""
    return torch.int16 if size <= 2**15 else torch.int32


class _SparseLayer(nn.Module):
    """The kept weights of each output channel, stored in the way that takes fewer bytes.

    Whole kernels: values ``(kept, taps)``, one kernel a row; places: the input channel of each.
    Single weights: values ``(kept, 1)``; places: input channel · taps + tap of each. counts: how
    many kernels or weights each output channel has. Index arrays depend on the shape of the input;
    those of the last shape are kept for the next call.
    """

    values: Tensor
    places: Tensor
    counts: Tensor
    constant: Tensor

    def __init__(self, weight: Tensor, support: npt.NDArray[np.bool_], bias: Tensor | None) -> None:
        super().__init__()
        kernels = weight.reshape(*weight.shape[:2], -1)
        self.outputs, self.inputs, self.taps = kernels.shape
        single = (kernels != 0).flatten(1).cpu().numpy()
        index, number = _index_type(self.inputs), weight.element_size()
        whole_bytes = support.sum() * (self.taps * number + index.itemsize)
        single_index = _index_type(self.inputs * self.taps)
        self.whole = bool(whole_bytes <= single.sum() * (number + single_index.itemsize))
        kept = support if self.whole else single
        rows, places = (torch.from_numpy(part) for part in np.nonzero(kept))
        values = kernels[rows, places] if self.whole else kernels.flatten(1)[rows, places, None]
        constant = torch.zeros(len(weight)) if bias is None else bias.detach().clone()
        self.register_buffer("values", values.contiguous())
        self.register_buffer("places", places.to(index if self.whole else single_index))
        self.register_buffer("counts", torch.from_numpy(kept.sum(1)).to(torch.int32))
        self.register_buffer("constant", constant.to(weight.dtype))
        self._packed: dict[tuple[int, ...], Packed] = {}

    def _check(self, x: Tensor) -> None:
        if x.requires_grad or x.device.type != "cpu" or x.dtype != self.values.dtype:
            raise UserError(
                f"layout 'sparse' got {x.dtype} on {x.device} (gradients: {x.requires_grad}); "
                f"allowed: {self.values.dtype} on cpu without gradients; or compact with "
                "layout='block'"
            )

    def _rows(
        self, key: tuple[int, ...], channel_stride: int, taps: Ints, index: type = np.int64
    ) -> Packed:
        """Entries (offset into the flat input, weight) of every row; zeros in a kernel left out."""
        if key not in self._packed:
            from graphprune.compaction.kernels import pack_rows

            values, places = self.values.numpy(), self.places.numpy().astype(np.int64)
            if self.whole:
                offsets = places[:, None] * channel_stride + taps
            else:
                offsets = (places // self.taps * channel_stride + taps[places % self.taps])[:, None]
            row = np.repeat(np.arange(self.outputs), self.counts.numpy())
            kept = values != 0
            counts = np.bincount(
                np.broadcast_to(row[:, None], kept.shape)[kept], minlength=self.outputs
            )
            pointers, packed, weights = pack_rows(counts, offsets[kept], values[kept])
            self._packed = {key: (pointers, packed.astype(index), weights, self.constant.numpy())}
        return self._packed[key]

    def _sums(self, x: Tensor, packed: Packed, columns: int, length: int) -> Tensor:
        """``(outputs, columns)``, of which the first ``length`` of every row are computed."""
        from graphprune.compaction import kernels

        out = torch.empty(self.outputs, columns, dtype=x.dtype)
        threads, flat = torch.get_num_threads(), x.reshape(-1).numpy()
        if threads == 1 or len(packed[1]) * length < PARALLEL_WORK:
            kernels.shifted_sums(flat, *packed, out.numpy(), length)
            return out
        before = kernels.get_num_threads()
        kernels.set_num_threads(min(threads, before))
        try:
            kernels.shifted_sums_parallel(flat, *packed, out.numpy(), length)
        finally:
            kernels.set_num_threads(before)
        return out

    def extra_repr(self) -> str:
        return f"{self.inputs}, {self.outputs}, kept={self.values.numel()}"


class SparseLinear(_SparseLayer):
    """A linear layer in the sparse layout."""

    def forward(self, x: Tensor) -> Tensor:
        self._check(x)
        flat = x.reshape(-1, self.inputs)
        batch = len(flat)
        if batch >= WIDE_BATCH:
            packed = self._rows((batch,), batch, ONE_TAP)
            out = self._sums(flat.t().contiguous(), packed, batch, batch).t()
        else:
            from graphprune.compaction.kernels import row_products

            out = torch.empty(batch, self.outputs, dtype=x.dtype)
            packed = self._rows((1,), 1, ONE_TAP, np.uint32)
            row_products(flat.contiguous().numpy(), *packed, out.numpy())
        return out.reshape(*x.shape[:-1], self.outputs)


class SparseConv2d(_SparseLayer):
    """A two-dimensional convolution in the sparse layout.

    The padded images of a batch lie side by side, one plane for each channel (and, with a stride,
    for each phase of it). A tap of the kernel is then a shift of one long row.
    """

    def __init__(self, layer: nn.Conv2d, weight: Tensor, support: npt.NDArray[np.bool_]) -> None:
        super().__init__(weight, support, layer.bias)
        self.kernel = layer.kernel_size
        self.stride, self.dilation = layer.stride, layer.dilation
        self.padding = [int(p) for p in layer._reversed_padding_repeated_twice]
        self.mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode

    def forward(self, x: Tensor) -> Tensor:
        self._check(x)
        if x.dim() == 3:
            out: Tensor = self.forward(x.unsqueeze(0)).squeeze(0)
            return out
        planes, height, width = self._planes(x)
        (sh, sw), (dh, dw) = self.stride, self.dilation
        batch, (h, w) = x.shape[0], planes.shape[-2:]
        down, right = (
            np.divmod(np.arange(self.kernel[0]) * dh, sh),
            np.divmod(np.arange(self.kernel[1]) * dw, sw),
        )
        phase = down[1][:, None] * sw + right[1]
        shift = down[0][:, None] * w + right[0]
        columns = batch * h * w
        taps = (phase * columns + shift).reshape(-1)
        packed = self._rows((batch, h, w), sh * sw * columns, taps)
        out = self._sums(planes, packed, columns, columns - int(shift.max()))
        out = out.view(self.outputs, batch, h, w)[:, :, :height, :width]
        return out.transpose(0, 1).contiguous()

    def _planes(self, x: Tensor) -> tuple[Tensor, int, int]:
        """Padded input ``(channels, phases, batch, h, w)``, and the output's height and width."""
        (sh, sw), (dh, dw), (kh, kw) = self.stride, self.dilation, self.kernel
        padded = functional.pad(x, self.padding, self.mode) if any(self.padding) else x
        tall, wide = padded.shape[-2:]
        height = (tall - dh * (kh - 1) - 1) // sh + 1
        width = (wide - dw * (kw - 1) - 1) // sw + 1
        if (sh, sw) == (1, 1):
            return padded.transpose(0, 1).unsqueeze(1).contiguous(), height, width
        padded = functional.pad(padded, (0, -wide % sw, 0, -tall % sh))
        batch, channels, tall, wide = padded.shape
        split = padded.view(batch, channels, tall // sh, sh, wide // sw, sw)
        planes = split.permute(1, 3, 5, 0, 2, 4).contiguous()
        return planes.view(channels, sh * sw, batch, tall // sh, wide // sw), height, width
