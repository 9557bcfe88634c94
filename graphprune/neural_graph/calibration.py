"""Calibration examples and every layer's values for them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from graphprune import checkpoints
from graphprune.errors import UserError
from graphprune.neural_graph.tracing import evaluating, trace

if TYPE_CHECKING:
    from graphprune.data import Split

KIND = "calibration"
LAYER = "layer/"

_log = logging.getLogger("graphprune")


@torch.no_grad()
def calibration_examples(
    model: nn.Module, split: Split, per_class: int, batch_size: int = 512, *, correct: bool = True
) -> Tensor:
    """The first ``per_class`` correctly classified examples of every class, in the split's order.

    With ``correct=False`` the first of every class, however the network classifies them: an
    untrained network is right by chance only.

    Parameters
    ----------
    model : classifier, ``(n, *input shape)`` → ``(n, classes)``.
    split : normally the training split.
    per_class : how many of each class, at least 1.

    Returns
    -------
    int64 ``(classes * per_class,)``, ascending indices into the split.

    Raises
    ------
    UserError : some class has fewer such examples (all these classes are named). Going on with
        fewer would be another experiment than the one asked for.

    >>> inputs = split.images[calibration_examples(model, split, per_class=10)]
    """
    if per_class < 1:
        raise UserError(f"per_class is {per_class}; allowed: at least 1")
    device = next(model.parameters()).device
    classes = int(split.labels.max()) + 1
    missing = torch.full((classes,), per_class)
    chosen: list[int] = []
    with evaluating(model):
        for start in range(0, len(split), batch_size):
            labels = split.labels[start : start + batch_size]
            allowed = torch.ones(len(labels), dtype=torch.bool)
            if correct:
                images = split.images[start : start + batch_size].to(device)
                allowed = model(images).argmax(dim=1).cpu() == labels
            for offset in allowed.nonzero().flatten().tolist():
                label = int(labels[offset])
                if missing[label] > 0:
                    missing[label] -= 1
                    chosen.append(start + offset)
            if not missing.any():
                return torch.tensor(chosen)
    short = {c: per_class - int(missing[c]) for c in range(classes) if missing[c]}
    raise UserError(
        f"calibration asks for {per_class} {'correctly classified ' if correct else ''}"
        "examples of each class; "
        + ", ".join(f"class {label} has {count}" for label, count in short.items())
    )


def capture(model: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
    """Every layer's values after its nonlinearity, by the layer's name in the neural graph.

    inputs: ``(n, *input shape)``. Returns tensors ``(n, *layer shape)`` of the model's dtype on the
    CPU, not scaled: under ``"input"`` the input itself, under the last layer's name the logits.

    Raises UserError if the network cannot be traced or the inputs do not fit it.
    """
    traced = trace(model, tuple(inputs.shape[1:]))
    return {
        layer.name: raw.reshape(len(inputs), *layer.shape)
        for layer, raw in zip(traced.graph.layers, traced.activations(inputs), strict=True)
    }


def save(
    path: str | Path,
    model: nn.Module,
    split: Split,
    chosen: Tensor,
    made: Mapping[str, object] | None = None,
) -> None:
    """Write the ``chosen`` examples of ``split`` and every layer's values for them, atomically.

    The safetensors file holds ``indices``, ``labels`` and one entry ``layer/<name>`` a layer. Of a
    network that has no neural graph (with attention, say) ``layer/input`` is the only layer, and
    the log says why.
    """
    inputs = split.images[chosen]
    try:
        layers = capture(model, inputs)
    except UserError as error:
        _log.warning("no neural graph, so the examples are kept without layers: %s", error)
        layers = {"input": inputs}
    entries = {LAYER + name: raw for name, raw in layers.items()}
    tensors = {"indices": chosen, "labels": split.labels[chosen], **entries}
    checkpoints.save(path, tensors, KIND, made=made)


def read(path: str | Path) -> tuple[Tensor, Tensor]:
    """Inputs ``(n, *input shape)`` and labels int64 ``(n,)`` from a file written by ``save``.

    Raises UserError, naming the file, if it is missing, damaged or not of this kind.
    """
    tensors, _ = checkpoints.load(path, KIND)
    inputs, labels = tensors.get(LAYER + "input"), tensors.get("labels")
    if inputs is None or labels is None or labels.shape != inputs.shape[:1]:
        raise UserError(f"{path}: holds no labelled examples; remove it and run again")
    return inputs, labels
