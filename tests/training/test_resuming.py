"""A training that was interrupted anywhere goes on and ends with the same bits."""

from __future__ import annotations

import copy
import logging
import os
import random
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from image_folders import write_folder
from norm_and_dropout import examples, masks, network
from torch import nn

from graphprune import data
from graphprune.data import Scaling, Split
from graphprune.data.streamed import folders
from graphprune.data.streamed.images import StreamedImages
from graphprune.errors import UserError
from graphprune.training import loop, resuming
from graphprune.training.resuming import Partial, StoppedError
from graphprune.training.settings import Settings

STEPS = 3  # of batches of 8, 8 and 7
PLAIN = Settings(4, 8, weight_decay=0.05)
EVERYTHING = replace(
    PLAIN, optimizer="adam", learning_rate=0.01, warmup=1.0, ema=0.8, precision="float16",
    clip_norm=1.0, channels_last=True, accumulate=2, decay_norms_and_biases=False,
    adversarial={"epsilon": 0.1, "step": 0.05, "steps": 2},
)  # fmt: skip
# mirrors and scales anew in every epoch
AUGMENTED = replace(PLAIN, augmentation="resized_crop_flip", channels_last=True)
VALIDATION = examples(31, seed=9)


class CutError(Exception):
    """A training is interrupted; nothing may be written on the way out."""


def after_steps(model: nn.Module, count: int, act: Callable[[], None]) -> None:
    """``act`` in the backward pass of the step that follows ``count`` others."""
    seen = 0

    def hook(_gradient: torch.Tensor) -> None:
        nonlocal seen
        seen += 1
        if seen == count + 1:
            act()

    model.get_parameter("0.weight").register_hook(hook)


def cut() -> None:
    raise CutError


def train(model: nn.Module, settings: Settings, **more: Any) -> list[dict[str, float]]:
    held = masks(model)
    return loop.train(model, examples(), settings, held, VALIDATION, **more)


def without_clock(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def same_bits(model: nn.Module, other: nn.Module) -> bool:
    pairs = zip(model.state_dict().items(), other.state_dict().items(), strict=True)
    return all(n == m and torch.equal(t, u) for (n, t), (m, u) in pairs)


@pytest.mark.parametrize(
    "settings", [PLAIN, EVERYTHING, AUGMENTED], ids=["plain", "everything", "augmented"]
)
@pytest.mark.parametrize("seed", range(4))
def test_cut_three_times_it_ends_with_the_same_bits(
    tmp_path: Path, settings: Settings, seed: int
) -> None:
    whole = network()
    rows = train(whole, settings)
    # how many steps each attempt may do before it is cut
    draw = random.Random(seed)
    done = 0
    for steps in [draw.randrange(1, 4) for _ in range(3)]:
        model = network()
        after_steps(model, steps * settings.accumulate, cut)
        with pytest.raises(CutError):
            train(model, settings, partial=Partial(tmp_path / "p.safetensors", 0))
        done += steps
    last, seen = network(), []
    after_steps(last, (4 * STEPS - done) * settings.accumulate, cut)  # not one step more
    found = train(
        last, settings, partial=Partial(tmp_path / "p.safetensors", 0), on_epoch=seen.append
    )
    assert same_bits(last, whole)
    assert without_clock(found) == without_clock(rows)
    assert seen == found


def test_losses_that_wait_are_in_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = train(network(), PLAIN)
    monkeypatch.setitem(loop.WAITING, "cpu", 100)
    model = network()
    after_steps(model, 5, cut)
    with pytest.raises(CutError):
        train(model, PLAIN, partial=Partial(tmp_path / "p.safetensors", 0))
    found = train(network(), PLAIN, partial=Partial(tmp_path / "p.safetensors", 0))
    assert without_clock(found) == without_clock(rows)


def test_a_short_training_writes_nothing(tmp_path: Path) -> None:
    train(network(), PLAIN, partial=Partial(tmp_path / "p.safetensors"))
    assert list(tmp_path.iterdir()) == []


def test_a_long_training_is_kept_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming, "SHORT", 0.0)
    first, second = network(), network()
    rows = train(first, EVERYTHING, partial=Partial(tmp_path / "p.safetensors"))
    after_steps(second, 0, cut)
    again = Partial(tmp_path / "p.safetensors")
    assert train(second, EVERYTHING, partial=again) == rows
    assert same_bits(first, second)
    again.remove()
    again.remove()
    assert list(tmp_path.iterdir()) == []


def kept(tmp_path: Path) -> Path:
    """The file of a training that was cut in its second epoch."""
    path, model = tmp_path / "p.safetensors", network()
    after_steps(model, 4, cut)
    with pytest.raises(CutError):
        train(model, PLAIN, partial=Partial(path, 0))
    return path


@pytest.mark.parametrize("other", ["settings", "weights", "masks", "images", "labels"])
def test_the_file_of_another_training_is_not_used(
    tmp_path: Path, other: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = kept(tmp_path)
    model = network(1 if other == "weights" else 0)
    settings = replace(PLAIN, momentum=0.8) if other == "settings" else PLAIN
    held = masks(model, 0.3 if other == "masks" else 0.5)
    split = examples()
    if other == "images":
        split = Split(split.images + 1, split.labels)
    if other == "labels":
        split = Split(split.images, (split.labels + 1) % 3)
    fresh = copy.deepcopy(model)
    loop.train(model, split, settings, held, partial=Partial(path))
    loop.train(fresh, split, settings, held)
    assert same_bits(model, fresh)
    assert not path.exists()
    assert "starting over" in caplog.text


@pytest.fixture
def birds(tmp_path: Path) -> Iterator[Split]:
    """The training split of a streamed dataset, 12 images ``(3, 8, 8)``."""
    write_folder(tmp_path / "birds", a_class=5)
    keys = {"path": str(tmp_path / "birds"), "classes": 3, "size": 8}
    folders.register({"folders": {"birds": keys}})
    yield data.load("birds").train
    folders.register(None)


@pytest.mark.parametrize("augmentation", ["crop_flip", "resized_crop_flip"])
def test_a_training_on_streamed_images_goes_on_with_any_number_of_workers(
    tmp_path: Path, birds: Split, augmentation: str
) -> None:
    settings = Settings(2, 4, augmentation=augmentation)

    def fresh() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 8), nn.Flatten(), nn.Linear(4, 3))

    whole, model, last = fresh(), fresh(), fresh()
    rows = loop.train(whole, birds, settings)
    after_steps(model, 4, cut)
    with pytest.raises(CutError):
        loop.train(model, birds, settings, partial=Partial(tmp_path / "p.safetensors", 0))
    assert isinstance(birds.images, StreamedImages)
    ahead = replace(birds, images=replace(birds.images, workers=1))
    after_steps(last, len(birds) // 2 - 4, cut)
    found = loop.train(last, ahead, settings, partial=Partial(tmp_path / "p.safetensors", 0))
    assert without_clock(found) == without_clock(rows)
    assert same_bits(last, whole)


def test_streamed_images_are_known_by_their_manifest_and_not_read(
    tmp_path: Path, birds: Split
) -> None:
    def said(split: Split) -> str:
        digest: str = resuming.Whose({}, {}, {}, split).said["examples"]
        return digest

    images = birds.images
    assert isinstance(images, StreamedImages)
    shutil.rmtree(tmp_path / "birds")
    assert said(replace(birds, images=replace(images, workers=3))) == said(birds)
    others = [
        replace(birds, labels=birds.labels.flip(0)),
        replace(birds, images=replace(images, chosen=images.chosen.flip(0))),
        replace(birds, images=replace(images, size=16)),
        replace(birds, images=replace(images, edge=10)),
        replace(birds, images=replace(images, interpolation="bicubic")),
        replace(birds, images=replace(images, scaling=Scaling())),
        replace(birds, blank=None),
    ]
    assert len({said(split) for split in [birds, *others]}) == 8


@pytest.mark.parametrize("damage", ["cut off", "a bit", "no file of ours"])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    path = kept(tmp_path)
    written = bytearray(path.read_bytes())
    if damage == "cut off":
        del written[len(written) // 2 :]
    elif damage == "a bit":
        written[-5] ^= 1
    else:
        written[:] = b"text"
    path.write_bytes(written)
    with pytest.raises(UserError) as caught:
        train(network(), PLAIN, partial=Partial(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def term() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_keeps_the_training_and_ends_it(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    path, whole, model, last = tmp_path / "p.safetensors", network(), network(), network()
    rows = train(whole, PLAIN)
    after_steps(model, 4, term)
    with pytest.raises(StoppedError) as caught:
        train(model, PLAIN, partial=Partial(path))
    assert str(caught.value) == (
        f"stopped by SIGTERM after step 2 of epoch 2; {path} keeps what was trained, and the same "
        "command goes on from there"
    )
    assert signal.getsignal(signal.SIGTERM) is before
    after_steps(last, 4 * STEPS - 5, cut)
    assert without_clock(train(last, PLAIN, partial=Partial(path))) == without_clock(rows)
    assert same_bits(last, whole)


def test_sigterm_after_the_last_step_is_not_lost(tmp_path: Path) -> None:
    path, whole, model, last = tmp_path / "p.safetensors", network(), network(), network()
    train(whole, replace(PLAIN, ema=0.8))

    def stop(row: dict[str, float]) -> None:
        if row["epoch"] == 4:
            term()

    with pytest.raises(StoppedError, match="stopped by SIGTERM after epoch 4; "):
        train(model, replace(PLAIN, ema=0.8), partial=Partial(path), on_epoch=stop)
    after_steps(last, 0, cut)
    assert len(train(last, replace(PLAIN, ema=0.8), partial=Partial(path))) == 4
    assert same_bits(last, whole)


def test_it_is_kept_outside_the_main_thread_too(tmp_path: Path) -> None:
    path, failed = tmp_path / "p.safetensors", []
    model = network()
    after_steps(model, 2, cut)

    def work() -> None:
        try:
            train(model, PLAIN, partial=Partial(path, 0))
        except CutError as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(failed) == 1
    assert path.exists()
