"""What pruning a network saves: bytes on disk and seconds a pass, against the dense network."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from graphprune.compaction.build import compact
from graphprune.compaction.measure import file_size, latencies
from graphprune.defaults import REPEATS
from graphprune.errors import UserError
from graphprune.masks import apply

TOLERANCE = 1e-5


@dataclass(frozen=True)
class Latencies:
    """Median seconds of one forward pass of a batch.

    dense: the network before pruning. masked: with its pruned weights set to 0, stored dense.
    compact: ``compact(model, masks, example)``, each layer in the layout fastest for this batch.
    """

    dense: float
    masked: float
    compact: float


@dataclass(frozen=True)
class Savings:
    """What a pruned network costs beside the dense one.

    file_size_total, file_size_kept: bytes of the dense network's state in a safetensors file, and
        of the compact one's with every layer in its smallest layout; no measurement decides them.
    latencies: by batch size.
    """

    file_size_total: int
    file_size_kept: int
    latencies: dict[int, Latencies]


def savings(
    model: nn.Module,
    masks: Mapping[str, Tensor],
    input_shape: tuple[int, ...],
    batch_sizes: Sequence[int] = (1, 64),
    repeats: int = REPEATS,
    device: str | torch.device = "cpu",
    seed: int = 0,
) -> Savings:
    """File size and latencies of ``model`` dense, masked and compact.

    Parameters
    ----------
    model : left as it was; measured in evaluation mode. Its pruned weights may be 0 already: the
        time of a dense pass does not depend on its weights.
    masks : boolean, by parameter name.
    input_shape : of one example, without the batch dimension; the examples are drawn uniformly
        from [0, 1) by ``seed``.
    batch_sizes : examples in a pass; if it is empty, nothing is timed.
    repeats : passes of each network, taken in turns so that their ratios hold on a busy machine.
    device : where to measure.

    Raises
    ------
    UserError : batch sizes or repeats below 1, masks that do not fit, a compact network whose
        outputs differ from the masked one's by more than 1e-5 (relative to the largest output
        where that is above 1).

    >>> saved = savings(model, masks, (1, 28, 28), batch_sizes=(64,))
    >>> saved.file_size_kept / saved.file_size_total, saved.latencies[64].compact
    (0.13, 0.00021)
    """
    if any(size < 1 for size in batch_sizes):
        raise UserError(f"batch sizes are {list(batch_sizes)}; allowed: each at least 1")
    dense = copy.deepcopy(model).cpu().eval().requires_grad_(False)
    on_cpu = {name: mask.cpu() for name, mask in masks.items()}
    generator = torch.Generator().manual_seed(seed)
    dtype = next(dense.parameters()).dtype
    example = torch.rand(1, *input_shape, generator=generator, dtype=dtype)
    smallest = compact(dense, on_cpu, example, layout="smallest")
    masked = copy.deepcopy(dense)
    apply(masked, on_cpu)
    _check_equal(smallest, masked, example)
    dense.to(device)
    masked.to(device)
    on_device = {name: mask.to(device) for name, mask in masks.items()}
    by_batch_size: dict[int, Latencies] = {}
    for size in batch_sizes:
        batch = torch.rand(size, *input_shape, generator=generator, dtype=dtype).to(device)
        small = compact(dense, on_device, example=batch)
        _check_equal(small, masked, batch)
        by_batch_size[size] = Latencies(*latencies([dense, masked, small], batch, repeats))
    return Savings(file_size(model), file_size(smallest), by_batch_size)


@torch.inference_mode()
def _check_equal(small: nn.Module, masked: nn.Module, batch: Tensor) -> None:
    expected = masked(batch)
    difference = float((small(batch) - expected).abs().max())
    allowed = TOLERANCE * max(1.0, float(expected.abs().max()))
    if not difference <= allowed:
        raise UserError(
            f"compact network's outputs differ by {difference:.3g} from the masked one's; "
            f"allowed: {allowed:.3g}"
        )
