"""Examples that a method cannot use: refused in one line, before anything is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import graphprune
from graphprune.errors import UserError

NEED_EXAMPLES = ("snip", "probmask", "curvature")
TRAIN = ("snip", "probmask")
INPUTS, TARGETS = torch.rand(12, 1, 4, 4), torch.arange(12) % 3


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3))


def score(name: str, inputs: Any, targets: Any, model: nn.Module | None = None) -> dict[str, Any]:
    options = {"probmask": {"sparsity": 0.5, "epochs": 1}}.get(name, {})
    return graphprune.score(model or network(), name, inputs, targets, **options)


def message(*call: Any) -> str:
    with pytest.raises(UserError) as caught:
        score(*call)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", NEED_EXAMPLES)
@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        (INPUTS.numpy(), "inputs are ndarray; expected a torch.Tensor; torch.from_numpy makes one"),
        (INPUTS.tolist(), "inputs are list; expected a torch.Tensor"),
        ((INPUTS * 255).to(torch.uint8), "inputs are torch.uint8; expected floating-point numbers"),
        (INPUTS.long(), "inputs are torch.int64; expected floating-point numbers"),
        (INPUTS > 0.5, "inputs are torch.bool; expected floating-point numbers"),
        (INPUTS.to(torch.complex64), "inputs are torch.complex64; expected floating-point numbers"),
        (INPUTS.to("meta"), "on meta; expected a dense tensor with values"),
        (INPUTS.to_sparse(), "inputs are torch.sparse_coo on cpu; expected a dense tensor"),
        (INPUTS[:0], "inputs have shape (0, 1, 4, 4); expected (n, *input shape) with n >= 1"),
        (INPUTS[:, 0, 0, 0], "inputs have shape (12,); expected (n, *input shape) with n >= 1"),
        (INPUTS * float("nan"), "inputs contain NaN or infinite numbers; expected finite ones"),
        (INPUTS[..., :3], "mat1 and mat2 shapes cannot be multiplied"),
    ],
)
def test_inputs_that_cannot_be_used(name: str, inputs: Any, sentence: str) -> None:
    assert sentence in message(name, inputs, TARGETS)


@pytest.mark.parametrize("name", NEED_EXAMPLES)
@pytest.mark.parametrize(
    ("targets", "sentence"),
    [
        (TARGETS.numpy(), "targets are ndarray; expected a torch.Tensor; torch.from_numpy makes"),
        (TARGETS.tolist(), "targets are list; expected a torch.Tensor"),
        (TARGETS.float(), "targets are torch.float32 on cpu; expected class labels, torch.int64"),
        (TARGETS.int(), "targets are torch.int32 on cpu; expected class labels, torch.int64"),
        (TARGETS.to("meta"), "targets are torch.int64 on meta; expected class labels"),
        (TARGETS[:-1], "targets have shape (11,); expected (12,), a class label for each of the"),
        (TARGETS[:0], "targets have shape (0,); expected (12,)"),
        (TARGETS[:, None], "targets have shape (12, 1); expected (12,)"),
        (TARGETS - 1, "targets contain -1; allowed: class labels from 0"),
        (torch.where(TARGETS == 0, -100, TARGETS), "targets contain -100; allowed: class labels"),
    ],
)
def test_targets_that_cannot_be_used(name: str, targets: Any, sentence: str) -> None:
    assert sentence in message(name, INPUTS, targets)


@pytest.mark.parametrize("name", TRAIN)
def test_a_label_beyond_the_last_class_is_named(name: str) -> None:
    said = message(name, INPUTS, torch.where(TARGETS == 1, 3, TARGETS))
    assert said == "targets are 0 to 3, but the model has 3 outputs; allowed: 0 to 2"
    assert score(name, INPUTS, torch.full((12,), 2)).keys() == {"1.weight", "3.weight"}


@pytest.mark.parametrize("name", TRAIN)
def test_a_model_of_another_dtype_or_another_output_is_refused(name: str) -> None:
    said = message(name, INPUTS, TARGETS, network().to(torch.bfloat16))
    assert "model, of torch.bfloat16 on cpu, does not run on inputs (2, 1, 4, 4) of torch.f" in said
    maps = nn.Sequential(nn.Conv2d(1, 3, 3))
    assert "model gives (2, 3, 2, 2) for 2 examples; expected logits" in message(
        name, INPUTS, TARGETS, maps
    )


@pytest.mark.parametrize("name", ["magnitude", "random"])
def test_a_method_that_looks_at_no_example_asks_nothing_of_them(name: str) -> None:
    assert score(name, np.zeros(3), "none of these").keys() == {"1.weight", "3.weight"}


def test_trying_the_model_moves_no_generator_and_no_statistic() -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.fc = nn.BatchNorm1d(16), nn.Linear(16, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(len(x))
            x = self.norm(x.flatten(1))
            return self.fc(x + torch.rand_like(x))

    def drawn() -> torch.Tensor:
        torch.manual_seed(3)
        return score("snip", INPUTS, TARGETS, model)["fc.weight"]

    seen: list[int] = []
    model = Noisy().eval()
    found = drawn()
    assert seen == [2, 12]
    torch.manual_seed(3)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    loss = nn.functional.cross_entropy(model(INPUTS[order]), TARGETS[order])
    expected = (model.fc.weight * torch.autograd.grad(loss, model.fc.weight)[0]).abs()
    torch.testing.assert_close(found, expected.detach())
    assert int(model.norm.num_batches_tracked) == 0


@pytest.mark.parametrize("name", TRAIN)
def test_tokens_are_whole_numbers_where_the_model_embeds_them(name: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(12, 3))
    assert score(name, torch.randint(5, (12, 3)), TARGETS, model).keys() == {"2.weight"}


@pytest.mark.parametrize(
    ("checkpoint", "reason"),
    [
        ("{}/no/folder/c.safetensors", "No such file or directory"),
        ("{}", "it is a folder"),
        ("{}/a\0b", "embedded null byte"),
        ("{}/" + 250 * "a", "File name too long"),
        ("/proc/c.safetensors", "No such file or directory"),  # where nobody may write
    ],
)
def test_a_checkpoint_that_cannot_be_written_is_refused_before_the_training(
    checkpoint: str, reason: str, tmp_path: Path
) -> None:
    options = {"sparsity": 0.5, "checkpoint": checkpoint.format(tmp_path)}
    with pytest.raises(UserError, match=rf"a file that can be written, .* \({reason}"):
        graphprune.score(network(), "probmask", INPUTS, TARGETS, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("random", {"seed": 2**64}, "method random: seed is 18446744073709551616; allowed: < 4294"),
        ("random", {"seed": -1}, "method random: seed is -1; allowed: >= 0"),
        ("random", {"seed": 1.0}, "method random: seed is 1.0; allowed: a value of type integer"),
        ("probmask", {"epochs": 1.5}, "method probmask: epochs is 1.5; allowed: a value of type"),
    ],
)
def test_options_that_are_no_whole_numbers_in_range(
    name: str, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=f"^{sentence}"):
        graphprune.score(network(), name, INPUTS, TARGETS, **options)
