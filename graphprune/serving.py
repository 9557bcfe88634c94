"""Checkpoints as models of MLflow: the module that ``mlflow.pyfunc.load_model`` loads them by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn


class Classifier:
    """A network behind MLflow's interface.

    >>> Classifier.load("finetuned.safetensors").predict(np.zeros((1, 1, 28, 28))).shape
    (1, 10)
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    @classmethod
    def load(cls, path: str | Path) -> Classifier:
        """The network in a checkpoint; UserError, naming the file, if it is damaged or missing."""
        from graphprune import networks

        return cls(networks.load(path)[0])

    def predict(
        self, model_input: NDArray[Any], params: dict[str, Any] | None = None
    ) -> NDArray[np.float32]:
        """Logits float32 ``(n, classes)`` of inputs ``(n, C, H, W)``, scaled as in training.

        params: MLflow's, unused.
        """
        import torch

        inputs = torch.from_numpy(np.ascontiguousarray(model_input, dtype=np.float32))
        with torch.inference_mode():
            logits: NDArray[np.float32] = self.model(inputs).numpy()
        return logits


def _load_pyfunc(path: str) -> Classifier:
    """What MLflow calls by its name."""
    return Classifier.load(path)
