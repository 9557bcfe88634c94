"""Augmentation: what torchvision gives for the same draws, and draws that hang on nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_datasets import CIFAR
from two_blobs import network

from graphprune import data
from graphprune.data import augmentation
from graphprune.data.augmentation import Augmenter, uniform
from graphprune.errors import UserError
from graphprune.torchvision_import import torchvision
from graphprune.training import loop

KINDS = sorted(augmentation.DRAWS)


def pixels(n: int = 24, height: int = 32, width: int = 24) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (n, 3, height, width), generator=generator).to(torch.uint8)


@pytest.mark.parametrize("kind", ["crop", "crop_flip"])
def test_crops_are_torchvisions_bit_by_bit(kind: str) -> None:
    """Padded, cropped and mirrored as pixels, then scaled: example by example."""
    functional = torchvision("transforms.v2.functional")
    images, chosen = pixels(), torch.arange(24).flip(0)
    augment = Augmenter(kind, 1, 24, CIFAR.blank(3))
    augmented = augment(CIFAR.forward(images), chosen, epoch=2)
    seen = set()
    for place, index in enumerate(chosen.tolist()):
        # 4 pixels on each side of 32, 3 of 24
        u = augment.of_example(index, 2)[0].tolist()
        top, left, mirrored = int(9 * u[0]), int(7 * u[1]), kind == "crop_flip" and u[2] < 0.5
        expected = functional.pad(images[place], [3, 4])
        expected = functional.crop(expected, top, left, 32, 24)
        if mirrored:
            expected = functional.horizontal_flip(expected)
        assert torch.equal(augmented[place], CIFAR.forward(expected[None])[0])
        seen.add((top, left, mirrored))
    assert len(seen) > 15
    assert {mirrored for *_, mirrored in seen} == (
        {True, False} if kind == "crop_flip" else {False}
    )


def test_resized_crops_are_torchvisions() -> None:
    functional = torchvision("transforms.v2.functional")
    images, chosen = torch.rand(24, 3, 32, 24), torch.arange(24)
    augment = Augmenter("resized_crop_flip", 1, 24)
    augmented = augment(images, chosen, epoch=0)
    smaller = 0
    for index in range(24):
        drawn = augment.of_example(index, 0)
        top, left, tall, wide = (int(part) for part in augmentation.boxes(drawn, 32, 24))
        expected = functional.resized_crop(
            images[index], top, left, tall, wide, [32, 24], antialias=True
        )
        if drawn[0, 22] < 0.5:
            expected = functional.horizontal_flip(expected)
        torch.testing.assert_close(augmented[index], expected, rtol=0, atol=2e-6)
        smaller += tall < 32 and wide < 24
    assert smaller > 10


@given(height=st.integers(1, 60), width=st.integers(1, 60), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_boxes_are_chosen_as_torchvision_does(height: int, width: int, seed: int) -> None:
    """The rules of RandomResizedCrop in plain Python, with the same draws."""
    drawn = uniform(seed, 0, 23, 0, 4)
    found = torch.stack(augmentation.boxes(drawn, height, width), 1).tolist()
    for u, box in zip(drawn.tolist(), found, strict=True):
        assert box == plain_box(u, height, width)
        assert 0 <= box[0] <= height - box[2]
        assert 0 <= box[1] <= width - box[3]


def plain_box(u: list[float], height: int, width: int) -> list[int]:
    for area_drawn, ratio_drawn in zip(u[:10], u[10:20], strict=True):
        area = height * width * (0.08 + 0.92 * area_drawn)
        ratio = np.exp(np.log(3 / 4) + ratio_drawn * (np.log(4 / 3) - np.log(3 / 4)))
        wide, tall = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
        if 0 < wide <= width and 0 < tall <= height:
            return [int(u[20] * (height - tall + 1)), int(u[21] * (width - wide + 1)), tall, wide]
    tall, wide = height, width
    if width / height < 3 / 4:
        tall = round(width / (3 / 4))
    elif width / height > 4 / 3:
        wide = round(height * (4 / 3))
    return [(height - tall) // 2, (width - wide) // 2, tall, wide]


@given(
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 10**6),
    index=st.integers(0, 2**31),
    draws=st.integers(1, 30),
)
@settings(max_examples=40, deadline=None)
def test_a_row_of_draws_is_philox_at_the_counter_of_epoch_and_example(
    seed: int, epoch: int, index: int, draws: int
) -> None:
    """Reached by numpy's own way of skipping, and turned into doubles by numpy's Generator."""
    bits = np.random.Philox(key=seed, counter=epoch << 128).advance(index * ((draws + 3) // 4))
    expected = np.random.Generator(bits).random(draws)
    assert uniform(seed, epoch, draws, index, 1)[0].tolist() == expected.tolist()


def test_draws_are_even_and_independent() -> None:
    drawn = uniform(3, 7, 3, 0, 4000)
    assert 0 <= float(drawn.min()) < float(drawn.max()) < 1
    # tenths hold 400 each, with a standard deviation of 19
    for column in drawn.T:
        assert (torch.histc(column, 10, 0, 1) - 400).abs().max() < 80
    other_epoch, other_seed = uniform(3, 8, 3, 0, 4000), uniform(4, 7, 3, 0, 4000)
    columns = torch.cat([drawn, other_epoch, other_seed, drawn.roll(1, 0)], 1)
    correlations = torch.corrcoef(columns.T).fill_diagonal_(0)
    assert correlations.abs().max() < 0.07  # 4.4 standard deviations of 1/sqrt(4000)


@pytest.mark.parametrize("kind", KINDS)
@given(parts=st.lists(st.integers(1, 7), min_size=1, max_size=5), shuffle=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_an_example_does_not_depend_on_its_batch(kind: str, parts: list[int], shuffle: int) -> None:
    images = pixels(12, 16, 16) / 255
    whole = Augmenter(kind, 4, 12)(images, torch.arange(12), epoch=1)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(shuffle))
    augment = Augmenter(kind, 4, 12)
    for size in parts:
        chosen, order = order[:size], order[size:]
        again = augment(images[chosen], chosen, epoch=1)
        torch.testing.assert_close(again, whole[chosen], rtol=0, atol=1e-6)
        if kind != "resized_crop_flip":  # sums may be formed in another order there
            assert torch.equal(again, whole[chosen])


@pytest.mark.parametrize("kind", KINDS)
def test_seeds_and_epochs_differ(kind: str) -> None:
    images, chosen = pixels() / 255, torch.arange(24)
    first = Augmenter(kind, 0, 24)(images, chosen, 0)
    assert not torch.equal(Augmenter(kind, 0, 24)(images, chosen, 1), first)
    assert not torch.equal(Augmenter(kind, 1, 24)(images, chosen, 0), first)
    augment = Augmenter(kind, 0, 24)
    augment(images, chosen, 1)
    assert torch.equal(augment(images, chosen, 0), first)


def test_an_unresolved_or_unknown_kind_is_refused() -> None:
    for kind in ("by_dataset", "none", "mixup"):
        with pytest.raises(UserError, match=f"augmentation is {kind}; allowed here: none, crop"):
            Augmenter(kind, 0, 1)


def test_what_suits_each_dataset() -> None:
    of = {name: augmentation.augmentation_of("by_dataset", name) for name in data.DATASETS}
    assert {of[name] for name in ("cifar10", "cifar100", "cifar10_subset", "svhn")} == {"crop_flip"}
    assert {of[n] for n in ("digits", "mnist5k", "mnist", "fashion_mnist")} == {"none"}
    assert (of["imagenet"], of["tiny_imagenet"]) == ("resized_crop_flip", "crop_flip")
    assert augmentation.augmentation_of("crop", "digits") == "crop"


def test_training_sees_the_augmented_images_of_its_seed_and_epoch() -> None:
    """The inputs of every step are those that the augmenter gives for the step's examples."""
    images = torch.rand(20, 1, 8, 8)
    examples = data.Split(images, torch.arange(20) % 2, torch.full((1, 1, 1), 0.25))
    seen: list[torch.Tensor] = []

    class Watched(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = torch.nn.Linear(64, 2)

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            seen.append(batch)
            return self.last(batch.flatten(1))

    chosen = loop.Settings(2, 8, seed=6, augmentation="crop_flip")
    loop.train(Watched(), examples, chosen)
    generator = torch.Generator().manual_seed(6)
    augment = Augmenter("crop_flip", 6, 20, examples.blank)
    for epoch in range(2):
        order = torch.randperm(20, generator=generator)
        expected = augment(images[order], order, epoch)
        assert torch.equal(torch.cat(seen[3 * epoch : 3 * epoch + 3]), expected)


def test_without_augmentation_images_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is drawn, so that trainings of earlier versions keep their bits."""

    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(augmentation, "uniform", refuse)
    blobs = data.Split(torch.randn(20, 1, 1, 2), torch.arange(20) % 2)
    loop.train(network(), blobs, loop.Settings(1, 8))
    with pytest.raises(AssertionError):
        loop.train(network(), blobs, loop.Settings(1, 8, augmentation="crop"))
