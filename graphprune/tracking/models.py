"""Networks in MLflow's own format: a folder that ``mlflow.pyfunc.load_model`` loads.

The folder holds the checkpoint itself (nothing is pickled), names :mod:`graphprune.serving` as the
module that reads it, and has a signature and an input example. A network of a plug-in file brings
that file along. The environment that loads the model needs graphprune installed, and whatever the
plug-in imports.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

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

    def files(self, unit: str, weights: Path) -> Folders:
        """The artifacts by folder that make ``weights`` the model of ``unit``.

        The same weights of the same unit give the same bytes.
        """
        written = datetime.fromtimestamp(weights.stat().st_mtime, UTC)
        model = self.description
        model.model_uuid = uuid.uuid5(uuid.NAMESPACE_URL, unit).hex
        model.utc_time_created = written.strftime("%Y-%m-%d %H:%M:%S.%f")
        model.model_size_bytes = weights.stat().st_size
        model.flavors["python_function"]["data"] = f"data/{weights.name}"
        place = self.folder / model.model_uuid
        place.mkdir(exist_ok=True)
        model.save(place / "MLmodel")
        return {
            FOLDER: [place / "MLmodel", *self.shared],
            f"{FOLDER}/data": [weights],
            **self.plugins,
        }


def _release(package: str) -> str:
    # without the build (+cpu), which no index knows
    return version(package).partition("+")[0]
