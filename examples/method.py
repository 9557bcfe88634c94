"""A pruning method of one's own: a weight matters if it is large and its input is active.

    python -m graphprune.check examples/method.py

importance = |w| · rms(x)ᵖ, where x are the inputs that w is multiplied with over the calibration
examples, and rms is their root mean square. For p = 1 this is, up to a factor for each layer, the
score of Wanda (Sun et al., arXiv 2306.11695). Wanda ranks the weights of each output apart; here
all weights are ranked together.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field

import graphprune


@dataclass(frozen=True)
class ActiveInputs(graphprune.Method):
    """importance = |w| · rms(x)ᵖ, x the inputs that w is multiplied with."""

    # what the configuration, the figures and the tables say of the method
    name: ClassVar[str] = "active_inputs"
    paper: ClassVar[str] = "after arXiv 2306.11695"
    title: ClassVar[str] = "Active inputs"
    # run gets a few examples of each class: "none", "calibration" or "training"
    examples: ClassVar[str] = "calibration"

    # an option of the configuration: `methods: {active_inputs: {power: 2.0}}`
    power: Annotated[float, Field(ge=0, description="Exponent p of the activity.")] = 1.0

    def run(self, model, inputs=None, targets=None):
        """One score for each prunable weight; larger means keep."""
        weights = graphprune.prunable(model)
        names = {id(weight): name for name, weight in weights.items()}
        layers = [m for m in model.modules() if id(getattr(m, "weight", None)) in names]
        scores = {}

        def score(layer, arguments, _output):
            activity = _activity(layer, arguments[0]) ** self.power
            scores[names[id(layer.weight)]] = layer.weight.detach().abs() * activity

        hooks = [layer.register_forward_hook(score) for layer in layers]
        try:
            with torch.no_grad():
                model(inputs)
        finally:
            # the model is left as it was
            for hook in hooks:
                hook.remove()
        return graphprune.Result(scores, report={"examples": len(inputs)})


def _activity(layer, x):
    """The root mean square of every input channel, in a shape that multiplies with the weight."""
    if isinstance(layer, torch.nn.Linear):
        return x.flatten(0, -2).square().mean(0).sqrt()
    channels = x.transpose(0, 1).flatten(1).square().mean(1).sqrt()
    # the outputs of a group see the channels of this group only
    rows = channels.reshape(layer.groups, -1).repeat_interleave(
        layer.out_channels // layer.groups, dim=0
    )
    return rows.reshape(*rows.shape, *[1] * (layer.weight.ndim - 2))
