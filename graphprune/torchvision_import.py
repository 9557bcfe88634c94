"""torchvision, imported so that its datasets and models work beside any torch.

torchvision's wheels on the Python index are built for CUDA. Beside a CPU-only torch their compiled
operators do not load, and ``import torchvision`` fails while it registers shapes for them (issues
9077 and 9085 of pytorch/vision). Everything in Python (datasets, transforms, models, feature
extraction) works once the two operators that it names are declared. The detection operators stay
unavailable; a call of one says so.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

MISSING_OPERATOR = "operator torchvision::nms does not exist"
# detection operators, as declared in torchvision's C++ sources
SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

# kept alive: the schemas of a torch.library.Library disappear when it is garbage-collected
_declared: list[object] = []


def torchvision(submodule: str = "") -> ModuleType:
    """The module ``torchvision`` or one below it, imported.

    Only one failure is repaired: operators that are missing beside a CPU-only torch. Any other
    error of the import is raised unchanged.

    >>> torchvision("datasets").MNIST.__name__
    'MNIST'
    """
    name = f"torchvision.{submodule}" if submodule else "torchvision"
    try:
        return importlib.import_module(name)
    except RuntimeError as error:
        if MISSING_OPERATOR not in str(error) or _declared:
            raise
    for loaded in [key for key in sys.modules if key.partition(".")[0] == "torchvision"]:
        del sys.modules[loaded]
    _declare_operators()
    return importlib.import_module(name)


def _declare_operators() -> None:
    from torch.library import Library

    library = Library("torchvision", "DEF")
    for schema in SCHEMAS:
        library.define(schema)
    _declared.append(library)
