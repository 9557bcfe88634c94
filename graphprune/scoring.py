"""``graphprune.score``: the importance of every prunable weight, by any method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphprune.methods import build

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
    method : "magnitude", "random", "curvature", "rgp" or "probmask".
    inputs : float ``(n, *input shape)``, the examples the method looks at: "curvature" uses exactly
        these, "probmask" trains on them; the others need none.
    targets : int64 ``(n,)`` class labels ("probmask").
    options : the method's hyperparameters, the fields of its class. "rgp" and "probmask" take the
        wanted ``sparsity``; "curvature" takes ``alpha`` (0.9).

    Returns
    -------
    One tensor for each prunable parameter, keyed by its name in ``model.state_dict()`` and of its
    shape. For "curvature": −κ_min in float64.

    Raises
    ------
    UserError : an unknown method or option, missing inputs, an unsupported layer (named).

    >>> masks = prune(score(model, "magnitude"), sparsity=0.75)
    """
    return build(method, **options).run(model, inputs, targets).scores
