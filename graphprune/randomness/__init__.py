"""Seeds of random draws, derived by name: a draw never depends on what was drawn before it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def seed_of(seed: int, stage: str, of: str) -> int:
    """The seed of the random draws of one stage: ``SHA-256(seed, stage, of) mod 2³²``.

    Draws of different stages are independent. With one seed for all, importance drawn at random
    and the initial weights would be made from the same bits.

    Parameters
    ----------
    seed : that of the run, from the configuration.
    stage : what is drawn: "initial" weights, the order of examples in "train" and "finetune",
        what a method draws to "score", ...
    of : the id of whom it is drawn for, such as "digits/mlp". All methods that fine-tune a network
        share the order of the examples, so that comparisons are paired.

    >>> seed_of(0, "train", "digits/mlp")
    412558330
    """
    text = f"{seed}\n{stage}\n{of}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big")


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's generators are seeded inside the block; after it they are as they were before.

    What layers draw by themselves (dropout) then depends on nothing that ran before in the process.

    device: where the layers draw, besides the CPU.

    >>> with seeded(5, torch.device("cpu")):
    ...     torch.rand(1)
    """
    import torch

    cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        torch.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def generator_states(device: torch.device) -> dict[str, torch.Tensor]:
    """States of torch's generators, which dropout, methods and attacks draw from, by name.

    Returns uint8 ``"generator.cpu"`` and, where ``device`` is a GPU, ``"generator.cuda"``.

    >>> restore_generators(device, generator_states(device))
    """
    import torch

    states = {"generator.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["generator.cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_generators(device: torch.device, states: Mapping[str, torch.Tensor]) -> None:
    """Put states of `generator_states` back; ``states`` may hold other tensors as well."""
    import torch

    torch.set_rng_state(states["generator.cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["generator.cuda"], device)
