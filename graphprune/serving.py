"""Checkpoints as models of MLflow: the module that ``mlflow.pyfunc.load_model`` loads them by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphprune.plugins import only_plugins

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

# beside a recorded checkpoint: folder of the plug-in file that its network is built by
PLUGINS = "plugins"


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
        from graphprune.models import networks

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
    """What MLflow calls by its name; ``path`` is a checkpoint in the folder of a recorded model."""
    plugins = sorted((Path(path).parent / PLUGINS).glob("*.py"))
    if not plugins:
        return Classifier.load(path)
    # whatever the process has loaded, the network is built by the code that it was trained with
    with only_plugins(plugins):
        return Classifier.load(path)
