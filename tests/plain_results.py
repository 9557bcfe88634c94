"""A small run of the workflow, and its results worked out again without the package.

Files are read by safetensors alone, networks are plain torch, the training is a loop of its own,
seeds are hashed here. What the workflow's scripts pass to one another is tested against this.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional

NETWORK = "digits/normed"
SEEDS = (3, 8)
RATIOS = (2, 6.5)
WEIGHTS = ("1.weight", "5.weight")
# no setting of one section is that of the other, and no batch size divides the 1 259 examples
TRAIN = {"epochs": 3, "batch_size": 50, "learning_rate": 0.1, "momentum": 0.8, "weight_decay": 0.01,
         "schedule": "cosine", "optimizer": "sgd"}  # fmt: skip
FINETUNE = {"epochs": 2, "batch_size": 100, "learning_rate": 0.03, "momentum": 0.6,
            "weight_decay": 0.003, "schedule": "step", "optimizer": "sgd"}  # fmt: skip
METHODS = {
    "magnitude": {"scope": "global"},
    "by_layer": {"method": "magnitude", "scope": "layer"},
    "chance": {"method": "random"},
    "curvature": {"alpha": 0.8},
    "probmask": {"epochs": 2},
}
OWN_EPOCHS = {"probmask": 2}
CONFIG: dict[str, Any] = {
    "experiment": "glue", "results": "out", "plugins": ["normed.py"], "seeds": list(SEEDS),
    # the section of the network counts, not the general one
    "networks": [{"dataset": "digits", "model": "normed", "finetune": FINETUNE}],
    "train": TRAIN, "finetune": {"epochs": 1, "batch_size": 20}, "compressions": list(RATIOS),
    "regimes": ["finetune", "scratch"], "keep_scores": True, "latency": {"repeats": 2},
    "calibration": {"examples_per_class": 2}, "methods": METHODS,
}  # fmt: skip
PLUGIN = """
import graphprune
from plain_results import normed

@graphprune.register_model("normed")
def build(input_shape, num_classes):
    return normed()
"""


def normed() -> nn.Sequential:
    """A network with batch norm and dropout."""
    return nn.Sequential(
        *(nn.Flatten(), nn.Linear(64, 24), nn.BatchNorm1d(24), nn.ReLU()),
        *(nn.Dropout(0.25), nn.Linear(24, 10)),
    )


def seed_of(seed: int, stage: str, of: str = NETWORK) -> int:
    return int(hashlib.sha256(f"{seed}\n{stage}\n{of}".encode()).hexdigest()[:8], 16)


def tensors(path: Path) -> dict[str, Tensor]:
    """What a file of graphprune holds, bits as booleans."""
    with safe_open(path, "pt") as opened:
        found = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        packed = json.loads(opened.metadata()["graphprune"]).get("packed", {})
    for name, shape in packed.items():
        bits = np.unpackbits(found[name].numpy())[: math.prod(shape)]
        found[name] = torch.from_numpy(bits.astype(bool)).reshape(shape)
    return found


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@dataclass(frozen=True)
class Examples:
    """A split: images float32, labels int64."""

    images: Tensor
    labels: Tensor


def split(results: Path, name: str) -> Examples:
    found = tensors(results / "data/digits.safetensors")
    return Examples(found[f"{name}.images"].float() / 16, found[f"{name}.labels"])


def network(weights: dict[str, Tensor]) -> nn.Sequential:
    model = normed()
    model.load_state_dict(weights)
    return model.eval()


def accuracy(model: nn.Module, examples: Examples) -> float:
    model.eval()
    with torch.no_grad():
        right = model(examples.images).argmax(1) == examples.labels
    return int(right.sum()) / len(right)


def initial(seed: int) -> dict[str, Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(seed_of(seed, "initial"))
        return normed().state_dict()


def rate_at(settings: dict[str, Any], done: float) -> float:
    if settings["schedule"] == "cosine":
        return settings["learning_rate"] * (1 + math.cos(math.pi * done)) / 2
    return settings["learning_rate"] * (1 if done < 0.5 else 0.1 if done < 0.75 else 0.01)


def train(
    model: nn.Module,
    examples: Examples,
    settings: dict[str, Any],
    seed: int,
    masks: dict[str, Tensor] | None = None,
) -> list[float]:
    """Train ``model`` by SGD with momentum; the mean loss of each epoch."""
    order = torch.Generator().manual_seed(seed)
    parameters, velocity = dict(model.named_parameters()), {}
    steps = math.ceil(len(examples.labels) / settings["batch_size"])
    losses = []
    with torch.random.fork_rng():
        torch.manual_seed(seed_of(seed, "train", "dropout"))
        for epoch in range(settings["epochs"]):
            model.train()
            total = 0.0
            shuffled = torch.randperm(len(examples.labels), generator=order)
            for step in range(steps):
                rate = rate_at(settings, (epoch + step / steps) / settings["epochs"])
                batch = shuffled[step * settings["batch_size"] :][: settings["batch_size"]]
                loss = functional.cross_entropy(
                    model(examples.images[batch]), examples.labels[batch]
                )
                gradients = torch.autograd.grad(loss, list(parameters.values()))
                with torch.no_grad():
                    for (name, weight), gradient in zip(parameters.items(), gradients, strict=True):
                        push = gradient + settings["weight_decay"] * weight
                        velocity[name] = settings["momentum"] * velocity.get(name, 0 * push) + push
                        weight -= rate * velocity[name]
                        if masks and name in masks:
                            weight *= masks[name]
                total += float(loss.detach()) * len(batch)
            losses.append(total / len(examples.labels))
    return losses


def masks_by(scores: dict[str, Tensor], ratio: float, by_layer: bool) -> dict[str, Tensor]:
    """The weights of largest score, round((1 − 1/ratio)·N) of all or of each layer go."""
    groups = [[name] for name in scores] if by_layer else [list(scores)]
    masks = {}
    for group in groups:
        flat = np.concatenate([scores[name].double().numpy().ravel() for name in group])
        gone = round((1 - 1 / ratio) * len(flat))
        keep = np.ones(len(flat), dtype=bool)
        # of equal scores the later one goes first
        keep[np.lexsort((-np.arange(len(flat)), flat))[:gone]] = False
        for name in group:
            size = scores[name].numel()
            masks[name] = torch.from_numpy(keep[:size].copy()).reshape(scores[name].shape)
            keep = keep[size:]
    return masks


def rescaled(weights: dict[str, Tensor], masks: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each output's kept weights with the norm of all its weights."""
    scaled = dict(weights)
    for name, mask in masks.items():
        whole, kept = (w.norm(dim=1, keepdim=True) for w in (weights[name], weights[name] * mask))
        scaled[name] = weights[name] * torch.where(kept > 0, whole / kept, 1.0)
    return scaled


def pruned(weights: dict[str, Tensor], masks: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n: w * masks[n] if n in masks else w.clone() for n, w in weights.items()}


def finetuned(folder: Path, masks: dict[str, Tensor]) -> dict[str, Tensor]:
    """The fine-tuned weights of the unit in ``folder``, 0 outside the masks."""
    found = tensors(folder / "finetuned.safetensors")
    for name, mask in masks.items():
        full = torch.zeros(mask.shape)
        full[mask] = found[name]
        found[name] = full
    return found
