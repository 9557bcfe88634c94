"""Where networks are trained and measured: on the CPU or on a GPU."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Literal, get_args

from graphprune.errors import UserError, one_of

if TYPE_CHECKING:
    import torch

Device = Literal["cpu", "cuda"]
DEVICES: tuple[Device, ...] = get_args(Device)


def use(name: str) -> torch.device:
    """The device ``name``, "cpu" or "cuda" (the first GPU this process sees), ready for use.

    After the call a GPU may only use algorithms that give the same bits every time. Its results
    differ from the CPU's in the last digits, because it adds in another order.

    Raises
    ------
    UserError : another name, or "cuda" where this process finds no GPU.

    >>> model.to(use("cpu"))
    """
    if name not in DEVICES:
        raise one_of("device", name, DEVICES)
    import torch

    if name == "cuda":
        if not torch.cuda.is_available():
            built = "" if torch.version.cuda else ", and this torch is built without CUDA"
            raise UserError(
                f"device is cuda, but {socket.gethostname()} shows this process no GPU{built}; "
                "allowed: cpu, or a machine with a GPU"
            )
        # read by cuBLAS when it starts; without it its results may differ from run to run
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    return torch.device(name)
