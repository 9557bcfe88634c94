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
    """Importance (larger = keep) of every weight of the linear and convolution layers of ``model``.

    Parameters
    ----------
    model : network of supported layers; left as it was.
    method : its name: a built-in one (docs/configuration.md lists them) or that of a plug-in.
    inputs, targets : the examples the method looks at, exactly these: float ``(n, *input shape)``
        and class labels int64 ``(n,)``. A method's class attribute ``examples`` says whether it
        needs them: "none"; "calibration", a few inputs of each class; "training", inputs and
        targets to train on.
    options : the method's hyperparameters, the fields of its class. A method that is made for one
        sparsity takes it as the option ``sparsity``.

    Returns
    -------
    One tensor for each prunable parameter, keyed by its name in ``model.state_dict()`` and of its
    shape.

    Raises
    ------
    UserError : an unknown method or option, missing inputs, an unsupported layer (named), a result
        that is not one score for each prunable weight.

    >>> masks = prune(score(model, "magnitude"), sparsity=0.75)
    """
    return run_checked(build(method, **options), model, inputs, targets).scores
