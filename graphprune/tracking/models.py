"""Networks in MLflow's own format: a folder that ``mlflow.pyfunc.load_model`` loads.

The folder holds the checkpoint itself (nothing is pickled), names :mod:`graphprune.serving` as the
module that reads it, and has a signature. A network of a plug-in file brings that file along. The
environment that loads the model needs graphprune installed, and whatever the plug-in imports.

The input example and the files that describe this environment are the same for all networks pruned
from one dense network: they lie with the model of the dense network alone. A folder without them
loads and predicts all the same; MLflow warns of neither.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphprune.serving import PLUGINS
from graphprune.tracking.files import Folders

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FOLDER = "model"
_REQUIREMENTS = ("graphprune", "torch", "numpy", "safetensors")


class ModelFormat:
    """Writes models that differ in their weights only.

    folder: where the files go; to be kept until they are uploaded. example: float32
    ``(1, C, H, W)``, a real input. classes: number of logits. weights: any checkpoint of the
    network. plugin: file of the plug-in that builds the network, if one does.

    MLflow checks and writes signature, example and requirements once; every model has a
    description (``MLmodel``) of its own that points to its weights.
    """

    def __init__(
        self,
        folder: Path,
        example: NDArray[np.float32],
        classes: int,
        weights: Path,
        plugin: Path | None = None,
    ) -> None:
        import logging

        import numpy as np
        from mlflow import pyfunc
        from mlflow.models import Model, ModelSignature
        from mlflow.types import Schema, TensorSpec

        single = np.dtype("float32")
        signature = ModelSignature(
            Schema([TensorSpec(single, (-1, *example.shape[1:]))]),
            Schema([TensorSpec(single, (-1, classes))]),
        )
        logging.getLogger("mlflow.pyfunc").setLevel(logging.WARNING)
        self.folder = folder
        self.plugins = {f"{FOLDER}/data/{PLUGINS}": [plugin]} if plugin else {}
        self.common = folder / "common"
        pyfunc.save_model(
            self.common,
            loader_module="graphprune.serving",
            data_path=str(weights),
            signature=signature,
            input_example=example,
            pip_requirements=[f"{name}=={_release(name)}" for name in _REQUIREMENTS],
        )
        self.description = Model.load(self.common)
        self.shared = sorted(
            path for path in self.common.iterdir() if path.is_file() and path.name != "MLmodel"
        )

    def dense(self, unit: str, weights: Path) -> Folders:
        """The artifacts by folder that make ``weights`` the model of the dense network ``unit``.

        The same weights of the same unit give the same bytes.
        """
        described = self._described(self._content(), unit, [weights])
        return {FOLDER: [described, *self.shared], f"{FOLDER}/data": [weights], **self.plugins}

    def pruned(self, unit: str, weights: Path, mask: Path) -> Folders:
        """The artifacts by folder that make ``weights``, trained under ``mask``, a model."""
        content = self._content()
        del content["flavors"]["python_function"]["env"]
        del content["saved_input_example_info"]
        content["metadata"] = {"environment and input example": "with the model of the parent run"}
        described = self._described(content, unit, [weights, mask])
        return {FOLDER: [described], f"{FOLDER}/data": [weights, mask], **self.plugins}

    def _content(self) -> dict[str, Any]:
        return copy.deepcopy(self.description.to_dict())

    def _described(self, content: dict[str, Any], unit: str, files: Sequence[Path]) -> Path:
        """MLflow's description of the model of ``unit``; of its files the first is loaded."""
        from mlflow.models import Model

        written = datetime.fromtimestamp(files[0].stat().st_mtime, UTC)
        content["model_uuid"] = uuid.uuid5(uuid.NAMESPACE_URL, unit).hex
        content["utc_time_created"] = written.strftime("%Y-%m-%d %H:%M:%S.%f")
        content["model_size_bytes"] = sum(file.stat().st_size for file in files)
        content["flavors"]["python_function"]["data"] = f"data/{files[0].name}"
        place = self.folder / str(content["model_uuid"]) / "MLmodel"
        place.parent.mkdir(exist_ok=True)
        Model.from_dict(content).save(place)
        return place


def _release(package: str) -> str:
    # without the build (+cpu), which no index knows
    return version(package).partition("+")[0]
