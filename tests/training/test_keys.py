"""Each key of a recipe against a loop of plain PyTorch that has the feature written its own way."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
import torch
from norm_and_dropout import exact_accuracy, examples, masks, network
from plain_schedules import rates
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from graphprune.data import Split
from graphprune.data.base import Scaling
from graphprune.errors import UserError
from graphprune.randomness import seed_of
from graphprune.training import loop
from graphprune.training.settings import Settings

BATCH, STEPS, EPOCHS = 8, 3, 3  # 23 examples: batches of 8, 8 and 7
VALIDATION = examples(31, seed=9)
BASE = Settings(EPOCHS, BATCH, momentum=0.9, weight_decay=0.05, schedule="constant")


def batches(split: Split, epochs: int = EPOCHS, size: int = BATCH) -> Iterator[Tensor]:
    """The indices of each batch, in the order that seed 0 gives."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        yield from torch.randperm(len(split), generator=generator).split(size)


def sgd(model: nn.Module, **options: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=0.05, **options)


@dataclass
class Plain:
    """A plain loop; a test replaces what its key changes."""

    optimizer: Callable[[nn.Module], torch.optim.Optimizer] = sgd
    loss: Callable[[Tensor, Tensor], Tensor] = functional.cross_entropy
    images: Callable[[nn.Module, Tensor, Tensor], Tensor] = lambda _model, images, _labels: images
    passes: Callable[[], AbstractContextManager[Any]] = nullcontext
    before: Callable[[nn.Module], object] = lambda _: None
    after: Callable[[nn.Module], object] = lambda _: None

    def train(self, model: nn.Module, split: Split) -> None:
        torch.manual_seed(seed_of(0, "train", "dropout"))
        optimizer = self.optimizer(model)
        model.train()
        for chosen in batches(split):
            images, labels = split.images[chosen], split.labels[chosen]
            images = self.images(model, images, labels)
            optimizer.zero_grad()
            with self.passes():
                loss = self.loss(model(images), labels)
            loss.backward()
            self.before(model)
            optimizer.step()
            self.after(model)
        model.eval()


def same(model: nn.Module, other: nn.Module, **tolerance: float) -> None:
    wanted = other.state_dict()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, wanted[name], msg=name, **(tolerance or BITS))


BITS = {"rtol": 0.0, "atol": 0.0}
NEAR = {"rtol": 1e-5, "atol": 1e-6}


def compared(settings: Settings, plain: Plain, tolerance: dict[str, float], **more: Any) -> None:
    """A training by ``settings`` and the plain one end alike, and not like one without the key."""
    model = network()
    other, without = copy.deepcopy(model), copy.deepcopy(model)
    loop.train(model, examples(), settings, **more)
    plain.train(other, examples())
    same(model, other, **tolerance)
    loop.train(without, examples(), BASE)
    assert not torch.equal(model[5].weight, without[5].weight)


def test_nesterov() -> None:
    compared(replace(BASE, nesterov=True), Plain(partial(sgd, nesterov=True)), BITS)


def test_label_smoothing() -> None:
    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        spread = torch.full_like(logits, 0.3 / logits.shape[1])
        spread[torch.arange(len(labels)), labels] += 0.7
        return -(spread * logits.log_softmax(1)).sum(1).mean()

    compared(replace(BASE, label_smoothing=0.3), Plain(loss=loss), NEAR)


def test_clip_norm() -> None:
    clipped = []

    def clip(model: nn.Module) -> None:
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        norm = math.sqrt(sum(float(g.double().square().sum()) for g in gradients))
        clipped.append(norm > 0.5)
        for gradient in gradients:
            gradient.mul_(min(1.0, 0.5 / norm))

    compared(replace(BASE, clip_norm=0.5), Plain(before=clip), {"rtol": 1e-4, "atol": 1e-5})
    assert any(clipped)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_no_decay_on_norms_and_biases(optimizer: str) -> None:
    def grouped(model: nn.Module) -> torch.optim.Optimizer:
        named = dict(model.named_parameters())
        weights = [named.pop(name) for name in ("0.weight", "5.weight")]
        groups = [{"params": weights}, {"params": [*named.values()], "weight_decay": 0.0}]
        if optimizer == "adam":
            return torch.optim.Adam(groups, 0.05, weight_decay=0.05)
        return torch.optim.SGD(groups, 0.05, momentum=0.9, weight_decay=0.05)

    settings = replace(BASE, decay_norms_and_biases=False, optimizer=optimizer)
    compared(settings, Plain(grouped), BITS)


def test_matrices_of_norms_do_not_decay() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 16), nn.Unflatten(1, (4, 4)))
    model.extend([nn.LayerNorm((4, 4)), nn.Flatten(), nn.Linear(16, 3)])
    held = model[3].weight
    with torch.no_grad():
        model[5].weight.zero_()
    before = held.clone()
    # nothing comes back through the zeros in the first step, so that only decay could change it
    settings = replace(BASE, epochs=1, batch_size=23, decay_norms_and_biases=False)
    loop.train(model, examples(), settings)
    assert torch.equal(held, before)


@pytest.mark.parametrize("masked", [False, True], ids=["dense", "masked"])
def test_the_average_is_measured_and_kept(masked: bool) -> None:
    model = network()
    held = masks(model) if masked else {}
    other = copy.deepcopy(model)
    averages: list[AveragedModel] = []

    def hold(model: nn.Module) -> None:
        with torch.no_grad():
            for name, mask in held.items():
                model.get_parameter(name).masked_fill_(~mask, 0.0)

    def after(model: nn.Module) -> None:
        hold(model)
        if not averages:
            average = get_ema_multi_avg_fn(0.8)
            averages.append(AveragedModel(model, multi_avg_fn=average, use_buffers=True))
        averages[0].update_parameters(model)

    hold(other)
    Plain(after=after).train(other, examples())
    settings = replace(BASE, ema=0.8)
    rows = loop.train(model, examples(), settings, held, VALIDATION)
    wanted = averages[0].module.state_dict()
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, wanted[name], **NEAR, msg=name)
            assert not torch.equal(value, other.state_dict()[name]), name
    assert rows[-1]["accuracy_validation"] == exact_accuracy(model, VALIDATION)
    assert all((model.get_parameter(name)[~mask] == 0.0).all() for name, mask in held.items())
    # counted, not averaged
    assert int(model[1].num_batches_tracked) == EPOCHS * STEPS


def test_the_training_goes_on_from_its_own_weights_and_not_from_the_average() -> None:
    split, model, other = examples(), network(), network()
    rows = [
        loop.train(one, split, replace(BASE, ema=ema), validation=VALIDATION)
        for one, ema in ((model, 0.8), (other, 0.0))
    ]
    losses = [[row["loss"] for row in history] for history in rows]
    assert losses[0] == losses[1]
    assert not torch.equal(model[5].weight, other[5].weight)


def test_bfloat16_is_that_of_autocast() -> None:
    passes = partial(torch.autocast, "cpu", torch.bfloat16)
    compared(replace(BASE, precision="bfloat16"), Plain(passes=passes), BITS)


def test_float16_scales_its_losses() -> None:
    model = network()
    other = copy.deepcopy(model)
    loop.train(model, examples(), replace(BASE, precision="float16", clip_norm=0.5))

    split, scaler, optimizer = examples(), torch.amp.GradScaler("cpu"), sgd(other)
    torch.manual_seed(seed_of(0, "train", "dropout"))
    other.train()
    for chosen in batches(split):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.float16):
            loss = functional.cross_entropy(other(split.images[chosen]), split.labels[chosen])
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(other.parameters(), 0.5)
        scaler.step(optimizer)
        scaler.update()
    same(model, other)


def test_float16_leaves_out_a_step_whose_gradients_overflow() -> None:
    model = network()
    before = copy.deepcopy(model.state_dict())
    model[5].weight.register_hook(lambda gradient: gradient * torch.inf)
    loop.train(model, examples(), replace(BASE, epochs=1, precision="float16"))
    assert torch.equal(model[5].weight, before["5.weight"])
    assert torch.equal(model[0].weight, before["0.weight"])


def test_channels_last_is_only_a_layout() -> None:
    model = network()
    other = copy.deepcopy(model)
    loop.train(model, examples(), replace(BASE, channels_last=True))
    loop.train(other, examples(), BASE)
    same(model, other, rtol=1e-4, atol=1e-5)
    assert all(p.is_contiguous() for p in model.parameters())


def test_channels_last_reaches_the_images() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 2))
    images = torch.randn(6, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    strides: list[tuple[int, ...]] = []
    model[0].register_forward_pre_hook(lambda _, given: strides.append(given[0].stride()))
    settings = Settings(1, 4, channels_last=True)
    loop.train(model, Split(images, torch.arange(6) % 2), settings)
    assert strides == [(48, 1, 12, 3)] * 2


def test_compile_trains_the_network_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the code generator, which takes a minute: the passes are those of the network."""
    calls: list[nn.Module] = []
    compiler = partial(torch.compile, backend="eager")
    monkeypatch.setattr(torch, "compile", lambda m: calls.append(m) or compiler(m))
    model, other = network(), network()
    settings = replace(BASE, epochs=1)
    loop.train(model, examples(), replace(settings, compile=True), validation=VALIDATION)
    loop.train(other, examples(), settings)
    assert calls == [model]
    same(model, other, **NEAR)
    assert list(model.state_dict()) == list(other.state_dict())


def test_a_network_that_torch_cannot_compile_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no compiler here")

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=fail))
    with pytest.raises(UserError, match=r"compile is true, but .* cannot compile Sequential: "):
        loop.train(network(), examples(), replace(BASE, compile=True))


@pytest.mark.parametrize("parts", [2, 3, 8, 50])
def test_a_batch_in_parts_gives_the_step_of_the_whole(parts: int) -> None:
    layers = (nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(16, 3))
    torch.manual_seed(1)
    model = nn.Sequential(*layers)
    other = copy.deepcopy(model)
    sizes: list[int] = []
    model.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    rows = loop.train(model, examples(), replace(BASE, accumulate=parts))
    whole = loop.train(other, examples(), BASE)
    same(model, other, rtol=1e-6, atol=1e-6)
    for row, wanted in zip(rows, whole, strict=True):
        assert row["loss"] == pytest.approx(wanted["loss"], rel=1e-6)
        assert row["accuracy_train"] == wanted["accuracy_train"]
    assert max(sizes) == -(-BATCH // min(parts, BATCH))
    assert sum(sizes) == 23 * EPOCHS


SCALED = Scaling(255, mean=(0.4,), std=(0.25,))
ATTACK = {"epsilon": 0.1, "step": 0.04, "steps": 4}


def pixels() -> Tensor:
    """Images in [0, 1], some of them at the ends of the range."""
    return examples().images.mul(0.3).add(0.5).clamp(0, 1)


def pgd(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """In pixels, as a paper has it: start anywhere in the ball, climb by signs, go back into it."""

    def inputs(pixel: Tensor) -> Tensor:
        return (pixel - 0.4) / 0.25

    clean = images * 0.25 + 0.4
    model.eval()
    attacked = clean + (torch.rand_like(images) * 0.2 - 0.1)
    attacked = attacked.clamp(0, 1)
    for _ in range(4):
        point = attacked.clone().requires_grad_()
        functional.cross_entropy(model(inputs(point)), labels).backward()
        assert point.grad is not None
        attacked = attacked + 0.04 * point.grad.sign()
        attacked = torch.minimum(torch.maximum(attacked, clean - 0.1), clean + 0.1).clamp(0, 1)
    model.train()
    return inputs(attacked)


def test_adversarial_training_is_that_of_pgd_in_pixels() -> None:
    split = Split((pixels() - 0.4) / 0.25, examples().labels)
    model = network()
    other = copy.deepcopy(model)
    seen: list[Tensor] = []

    def look(module: nn.Module, given: tuple[Tensor]) -> None:
        if module.training:
            seen.append(given[0].clone())

    model.register_forward_pre_hook(look)
    settings = replace(BASE, adversarial=ATTACK)
    loop.train(model, split, settings, scaling=SCALED)
    model._forward_pre_hooks.clear()
    Plain(images=pgd).train(other, split)
    same(model, other, rtol=1e-3, atol=1e-4)
    moved = []
    for images, chosen in zip(seen, batches(split), strict=True):
        change = (images - split.images[chosen]).abs() * 0.25
        assert float(change.max()) <= 0.1 + 1e-6
        moved.append(float(change.max()))
        back = images * 0.25 + 0.4
        assert float(back.min()) >= -1e-6
        assert float(back.max()) <= 1 + 1e-6
    assert max(moved) > 0.09
    # the norms count the steps alone, not the attack's passes
    assert int(model[1].num_batches_tracked) == EPOCHS * STEPS


def test_inputs_that_are_no_pixels_have_no_range() -> None:
    split, model = examples(), network()
    seen: list[Tensor] = []
    model.register_forward_pre_hook(
        lambda module, given: seen.append(given[0].clone()) if module.training else None
    )
    loop.train(model, split, replace(BASE, epochs=1, adversarial=ATTACK))
    changes = [
        images - split.images[chosen]
        for images, chosen in zip(seen, batches(split, 1), strict=True)
    ]
    assert max(float(change.abs().max()) for change in changes) == pytest.approx(0.1, rel=1e-5)
    assert max(float(images.max()) for images in seen) > 1.5


def test_a_training_takes_the_rates_of_its_warmup() -> None:
    settings = replace(BASE, warmup=2.0)
    wanted = rates(settings, STEPS)
    given = []

    def optimizer(model: nn.Module) -> torch.optim.Optimizer:
        made = sgd(model)
        scheduler = lr_scheduler.LambdaLR(made, lambda step: wanted[min(step, 8)] / 0.05)
        made.register_step_post_hook(lambda *_: scheduler.step())
        return made

    rows = loop.train(network(), examples(), settings, on_epoch=given.append)
    assert [row["learning_rate"] for row in rows] == [wanted[2], wanted[5], wanted[8]]
    compared(settings, Plain(optimizer), NEAR)


def test_all_at_once_learns() -> None:
    """Keys work together: an average in bfloat16 of parts, clipped, attacked and smoothed."""
    together = replace(
        BASE, epochs=12, learning_rate=0.02, warmup=1.0, schedule="multistep", nesterov=True,
        label_smoothing=0.1, clip_norm=1.0, decay_norms_and_biases=False, ema=0.7,
        precision="bfloat16", channels_last=True, accumulate=2,
        adversarial={"epsilon": 0.02, "step": 0.01, "steps": 2},
    )  # fmt: skip
    model = network()
    held = masks(model, 0.2)
    rows = loop.train(model, examples(), together, held, VALIDATION)
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert all((model.get_parameter(name)[~mask] == 0.0).all() for name, mask in held.items())
