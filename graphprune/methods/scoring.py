"""``graphprune.score``: the importance of every prunable weight, by any method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphprune.methods.catalog import build
from graphprune.methods.contract import run_checked

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graphprune.methods import Scores


def score(
    model: nn.Module,
    method: str,
    inputs: Tensor | None = None,
    targets: Tensor | None = None,
    **options: object,
) -> Scores:
    """Importance (larger = keep) of every weight of ``model`` that pruning may remove.

    Parameters
    ----------
    model : network whose weights `prunable` knows, in float32, float64, float16 or bfloat16, on any
        device; left as it was.
    method : its name: a built-in one (docs/configuration.md lists them) or that of a plug-in.
    inputs, targets : the examples the method looks at, exactly these: finite floats of the model's
        dtype ``(n, *input shape)`` (integers for a model with an embedding) and class labels int64
        ``(n,)``; they may be on another device than the model. A method's class attribute
        ``examples`` says whether it needs them: "none"; "calibration", a few inputs of each class;
        "training", inputs and targets to train on.
    options : the method's hyperparameters, the fields of its class. A method that is made for one
        sparsity takes it as the option ``sparsity``.

    Returns
    -------
    One tensor for each prunable parameter, keyed by its name in ``model.state_dict()`` and of its
    shape. A shared weight goes by one of its names, which `apply` accepts.

    Raises
    ------
    UserError : an unknown method or option, examples that are missing or cannot be used, an
        unsupported layer (named), weights that are not finite, a result that is not one score for
        each prunable weight.

    >>> masks = prune(score(model, "magnitude"), sparsity=0.75)
    """
    return run_checked(build(method, **options), model, inputs, targets).scores
