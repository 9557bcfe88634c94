"""The training loop against one of plain PyTorch, on a network with batch norm and dropout.

The plain loop takes the batches that the loop took; what order they come in is tested by itself.
"""

from __future__ import annotations

import copy
import itertools
import math
import time
from collections.abc import Mapping

import pytest
import torch
from norm_and_dropout import exact_accuracy, examples, masks, network
from torch import Tensor, nn
from torch.nn import functional

from graphprune.data import Split
from graphprune.randomness import seed_of
from graphprune.training import loop
from graphprune.training.settings import Settings

BATCH = 8  # of 23 examples: 8, 8 and 7
STEPS = 3
VALIDATION = examples(31, seed=9)


class Watched(nn.Module):
    """Notes the mode and the images of every pass, and whether masked weights are 0 then."""

    def __init__(self, inner: nn.Module, held: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.inner = inner
        self.held = held
        self.passes: list[tuple[bool, Tensor]] = []
        self.zeros: list[bool] = []

    def all_zero(self) -> bool:
        weights = dict(self.inner.named_parameters())
        return all(bool((weights[name][~mask] == 0.0).all()) for name, mask in self.held.items())

    def forward(self, images: Tensor) -> Tensor:
        modes = {module.training for module in self.inner.modules()}
        assert len(modes) == 1
        self.passes.append((modes.pop(), images.clone()))
        self.zeros.append(self.all_zero())
        return self.inner(images)

    def batches(self, split: Split) -> list[Tensor]:
        """The indices into ``split`` of each batch that was trained on."""
        return [places(images, split) for training, images in self.passes if training]


def places(images: Tensor, split: Split) -> Tensor:
    same = (images[:, None] == split.images[None]).flatten(2).all(2)
    assert (same.sum(1) == 1).all()
    return same.float().argmax(1)


def optimizer_of(model: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    if settings.optimizer == "adam":
        return torch.optim.Adam(
            model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
    return torch.optim.SGD(
        model.parameters(),
        settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )


def scheduler_of(
    optimizer: torch.optim.Optimizer, settings: Settings
) -> torch.optim.lr_scheduler.LRScheduler:
    steps = settings.epochs * STEPS
    if settings.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    if settings.schedule == "step":
        ends = [math.ceil(steps / 2), math.ceil(steps * 3 / 4)]
        return torch.optim.lr_scheduler.MultiStepLR(optimizer, ends, gamma=0.1)
    return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)


def plain(
    model: nn.Module,
    split: Split,
    settings: Settings,
    held: Mapping[str, Tensor],
    batches: list[Tensor],
) -> list[dict[str, float]]:
    """What `loop.train` promises, written the usual way."""
    weights = dict(model.named_parameters())

    def hold() -> None:
        with torch.no_grad():
            for name, mask in held.items():
                weights[name].copy_(torch.where(mask, weights[name], 0.0))

    optimizer = optimizer_of(model, settings)
    scheduler = scheduler_of(optimizer, settings)
    hold()
    rows = []
    for epoch in range(settings.epochs):
        losses, right = [], 0
        for chosen in batches[STEPS * epoch : STEPS * (epoch + 1)]:
            model.train()
            (rate,) = (group["lr"] for group in optimizer.param_groups)
            optimizer.zero_grad()
            outputs = model(split.images[chosen])
            each = functional.cross_entropy(outputs, split.labels[chosen], reduction="none")
            each.mean().backward()
            optimizer.step()
            scheduler.step()
            hold()
            losses += each.tolist()
            right += int((outputs.argmax(1) == split.labels[chosen]).sum())
        rows.append(
            {
                "epoch": epoch + 1,
                "learning_rate": rate,
                "loss": sum(losses) / len(losses),
                "accuracy_train": right / len(losses),
                "accuracy_validation": exact_accuracy(model, VALIDATION),
            }
        )
    return rows


SETTINGS = [
    Settings(4, BATCH, optimizer, 0.05 if optimizer == "sgd" else 0.01, momentum, decay, schedule)
    for optimizer, momentum, decay in [
        ("sgd", 0.0, 0.0),
        ("sgd", 0.0, 0.05),
        ("sgd", 0.9, 0.0),
        ("sgd", 0.9, 0.05),
        ("adam", 0.9, 0.0),
        ("adam", 0.9, 0.05),
    ]
    for schedule in ("constant", "cosine", "step")
]


@pytest.mark.parametrize("masked", [False, True], ids=["dense", "masked"])
@pytest.mark.parametrize(
    "settings", SETTINGS, ids=lambda s: f"{s.optimizer}-{s.momentum}-{s.weight_decay}-{s.schedule}"
)
def test_training_is_that_of_plain_pytorch(settings: Settings, masked: bool) -> None:
    split, model = examples(), network()
    other = copy.deepcopy(model)
    held = masks(model) if masked else {}
    watched = Watched(model.eval(), held)
    by_name = {f"inner.{name}": mask for name, mask in held.items()}
    rows = loop.train(watched, split, settings, by_name or None, VALIDATION)
    torch.manual_seed(seed_of(settings.seed, "train", "dropout"))
    expected = plain(other, split, settings, held, watched.batches(split))

    assert len(rows) == len(expected) == settings.epochs
    for row, wanted in zip(rows, expected, strict=True):
        assert list(row) == [*wanted, "seconds"]
        assert {key: row[key] for key in wanted} == pytest.approx(wanted, rel=1e-5)
    state, wanted_state = model.state_dict(), other.state_dict()
    assert {"1.running_mean", "1.num_batches_tracked"} <= set(state)
    for name, value in state.items():
        torch.testing.assert_close(value, wanted_state[name], rtol=1e-5, atol=1e-6, msg=name)
    if settings.schedule == "constant":  # no rounding of a rate: the same bits
        assert all(torch.equal(value, wanted_state[name]) for name, value in state.items())


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_masked_weights_are_zero_at_every_pass_and_the_others_move(optimizer: str) -> None:
    split, model = examples(), network()
    held = masks(model)
    before = copy.deepcopy(model.state_dict())
    watched = Watched(model, held)
    ends: list[bool] = []
    loop.train(
        watched,
        split,
        Settings(3, BATCH, optimizer, weight_decay=0.05),
        {f"inner.{name}": mask for name, mask in held.items()},
        VALIDATION,
        on_epoch=lambda _: ends.append(watched.all_zero()),
    )
    # before the first step, after each, and after the last of each epoch
    assert watched.zeros == [True] * 3 * (STEPS + 1)
    assert ends == [True] * 3
    for name, mask in held.items():
        weight = model.state_dict()[name]
        assert not torch.signbit(weight[~mask]).any()
        assert (weight[mask] != before[name][mask]).all()


def test_each_mode_at_its_time() -> None:
    split, model = examples(), network().eval()
    watched = Watched(model, {})
    seen: list[Tensor] = []
    loop.train(
        watched,
        split,
        Settings(2, BATCH),
        validation=VALIDATION,
        on_epoch=lambda _: seen.append(model[1].num_batches_tracked.clone()),
    )
    modes = [training for training, _ in watched.passes]
    assert modes == ([True] * STEPS + [False]) * 2
    # validation is not trained on: the norms saw the steps alone
    assert [int(count) for count in seen] == [STEPS, 2 * STEPS]
    validated = [images for training, images in watched.passes if not training]
    assert all(torch.equal(images, VALIDATION.images) for images in validated)
    assert not any(module.training for module in watched.modules())


def orders(seed: int, epochs: int = 3) -> list[tuple[int, ...]]:
    """The order of the examples in each epoch."""
    split = examples()
    watched = Watched(network(), {})
    loop.train(watched, split, Settings(epochs, BATCH, seed=seed))
    batches = watched.batches(split)
    assert [len(batch) for batch in batches] == [8, 8, 7] * epochs
    return [
        tuple(torch.cat(batches[STEPS * epoch : STEPS * (epoch + 1)]).tolist())
        for epoch in range(epochs)
    ]


def test_every_epoch_takes_every_example_once_in_a_new_order() -> None:
    by_seed = {seed: orders(seed) for seed in (0, 1)}
    every = list(itertools.chain(*by_seed.values()))
    assert all(sorted(order) == list(range(23)) for order in every)
    assert len({*every, tuple(range(23))}) == 7
    assert orders(1) == by_seed[1]


def test_rows_are_given_as_they_are_made() -> None:
    given: list[loop.Row] = []
    start = time.perf_counter()
    rows = loop.train(network(), examples(), Settings(3, BATCH), on_epoch=given.append)
    spent = time.perf_counter() - start
    assert given == rows
    assert all("accuracy_validation" not in row for row in rows)
    assert all(row["seconds"] > 0 for row in rows)
    assert sum(row["seconds"] for row in rows) <= spent


def test_no_epochs_apply_the_masks_and_nothing_else() -> None:
    model = network()
    before, held = copy.deepcopy(model.state_dict()), masks(model)
    assert loop.train(model, examples(), Settings(0), held, VALIDATION) == []
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name] * held.get(name, torch.tensor(1)))


def test_dropout_depends_on_the_seed_alone() -> None:
    states = []
    for drawn, seed in ((0, 1), (9, 1), (0, 2)):
        torch.manual_seed(3)
        torch.rand(drawn)
        before = torch.get_rng_state()
        model = network()
        torch.set_rng_state(before)
        # one batch: the order of the examples makes no difference to it
        loop.train(model, examples(), Settings(1, 23, seed=seed))
        assert torch.equal(torch.get_rng_state(), before)
        states.append(model.state_dict()["5.weight"])
    assert torch.equal(states[0], states[1])
    assert not torch.allclose(states[0], states[2], atol=1e-3)
