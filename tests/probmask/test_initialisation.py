"""New weights: attention starts as torch makes it, and as the wanted kind says."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from graphprune.errors import UserError
from graphprune.probmask.initialisation import initialise


@pytest.mark.parametrize("widths", [{}, {"kdim": 3, "vdim": 5}])
def test_attention_starts_as_torch_makes_it(widths: dict[str, int]) -> None:
    model = nn.Sequential(nn.MultiheadAttention(8, 2, **widths))
    torch.manual_seed(4)
    expected = nn.MultiheadAttention(8, 2, **widths)
    for parameter in model.parameters():
        nn.init.constant_(parameter, 7.0)
    torch.manual_seed(4)
    initialise(model, "default")
    for name, parameter in expected.named_parameters():
        assert torch.equal(model[0].get_parameter(name), parameter), name


def test_signed_constants_have_the_fan_in_of_each_projection() -> None:
    model = nn.MultiheadAttention(8, 2, kdim=3, vdim=5)
    initialise(model, "signed_constant")
    for name, fan_in in (("q", 8), ("k", 3), ("v", 5)):
        sizes = model.get_parameter(f"{name}_proj_weight").abs()
        torch.testing.assert_close(sizes, torch.full_like(sizes, (2 / fan_in) ** 0.5))
    assert not model.in_proj_bias.any()
    assert not model.out_proj.bias.any()


def test_a_module_that_cannot_start_anew_is_named() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.ones(3))

    with pytest.raises(UserError, match=r'^1 \(Scale\) has parameters .* use mode "checkpoint"'):
        initialise(nn.Sequential(nn.Linear(2, 3), Scale()), "default")


def test_layers_are_drawn_in_the_order_of_the_model() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    again = copy.deepcopy(model)
    torch.manual_seed(1)
    initialise(model, "default")
    torch.manual_seed(1)
    for layer in again:
        layer.reset_parameters()
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True)
    )
