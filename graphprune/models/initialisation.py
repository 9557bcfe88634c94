"""He initialisation, for the deeper networks."""

from __future__ import annotations

from torch import nn


def he_normal(model: nn.Module) -> None:
    """Weights of convolutions and linear layers ~ N(0, 2 / fan_out or 2 / fan_in), biases 0.

    Convolutions by fan out, linear layers by fan in, in place, from the global random state.

    Paper: He et al., Delving Deep into Rectifiers, arXiv 1502.01852.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
