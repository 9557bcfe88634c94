"""How a network sees a dataset: against torchvision's own presets and arithmetic by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from PIL import Image

from graphprune import data
from graphprune.data.base import Dataset, Scaling, Split
from graphprune.data.preprocess import Preprocess
from graphprune.errors import UserError
from graphprune.torchvision_import import torchvision

LABELS = torch.tensor([0, 1, 0])


def dataset(scaling: Scaling | None, images: torch.Tensor) -> Dataset:
    own = scaling.forward(images) if scaling else images
    split = Split(own, LABELS)
    shape = tuple(images.shape[1:])
    return Dataset("any", split, split, split, ("a", "b"), shape, scaling)  # type: ignore[arg-type]


def pixels(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, *shape), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shape", [(3, 20, 20), (3, 17, 40), (3, 90, 60)])
def test_it_is_what_torchvision_s_presets_make_of_images_by_pillow(shape, interpolation) -> None:
    """Which is how published accuracies were measured; of noise few pixels differ by a level."""
    mean, std, images = [0.4, 0.5, 0.6], [0.2, 0.3, 0.1], pixels(*shape)
    mode = torchvision("transforms").InterpolationMode(interpolation)
    preset = torchvision("transforms._presets").ImageClassification(
        crop_size=24, resize_size=32, mean=tuple(mean), std=tuple(std), interpolation=mode
    )
    expected = torch.stack(
        [preset(Image.fromarray(one.permute(1, 2, 0).numpy())) for one in images]
    )
    given = {"mean": mean, "std": std, "size": 24, "resize": 32, "interpolation": interpolation}
    # whatever scaling the dataset itself has
    for own in (Scaling(), Scaling(255, (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))):
        seen = Preprocess.of(given).seen(dataset(own, images))
        assert seen.input_shape == (3, 24, 24)
        for split in seen.splits().values():
            levels = (split.images - expected).abs() * 255 * torch.tensor(std).view(3, 1, 1)
            assert levels.max() < 2.01
            assert (levels > 0.01).float().mean() < 0.03
            assert split.labels is LABELS


def test_a_scaling_of_its_own_is_the_formula_bit_by_bit() -> None:
    images = pixels(1, 4, 5) % 17
    seen = Preprocess.of({"mean": [0.5], "std": [0.25]}).seen(dataset(Scaling(16), images))
    assert torch.equal(seen.test.images, (images.float() / 16 - 0.5) / 0.25)
    assert seen.input_shape == (1, 4, 5)
    raw = Preprocess.of({"mean": [0], "std": [1]})
    standardised = dataset(Scaling(255, (0.3,), (0.2,)), images)
    assert torch.equal(raw.seen(standardised).test.images, images.float() / 255)


def test_crops_are_padded_with_the_black_pixel_of_the_network() -> None:
    own = dataset(Scaling(255, (0.3,), (0.2,)), pixels(1, 4, 5))
    seen = Preprocess.of({"mean": [0.5], "std": [0.25]}).seen(own)
    assert [split.blank for split in seen.splits().values()] == [torch.tensor([[[-2.0]]])] * 3


def test_images_that_never_were_pixels_are_scaled_as_they_are() -> None:
    images = torch.rand(3, 2, 4, 4)
    before = images.clone()
    seen = Preprocess.of({"mean": [1, 2], "std": [2, 4]}).seen(dataset(None, images))
    assert torch.equal(seen.test.images[:, 1], (before[:, 1] - 2) / 4)
    assert torch.equal(images, before)


def test_nothing_given_is_the_dataset_itself() -> None:
    own = dataset(Scaling(), pixels(1, 4, 4))
    assert Preprocess(classes=("a", "b")).seen(own) is own


def test_a_dataset_is_read_as_a_network_sees_it(tmp_path) -> None:
    own = dataset(Scaling(), pixels(1, 4, 4))
    data.save(tmp_path / "a", own)
    seen = data.read(tmp_path / "a", {"mean": [0.5], "std": [0.5], "size": 8, "resize": None})
    assert seen.input_shape == (1, 8, 8)
    assert data.read(tmp_path / "a", {}).digest == data.read(tmp_path / "a").digest == own.digest


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"mean": [0.5]}, "mean has 1 numbers and std 0; give one of each a channel"),
        ({"mean": [0.5], "std": [0.0]}, r"std\[0\] is 0.0; allowed: > 0"),
        ({"resize": 8}, "resize is 8 without a size"),
        ({"resize": 8, "size": 9}, "resize is 8; allowed: at least size, 9"),
        ({"size": 0}, "size is 0; allowed: >= 1"),
        ({"interpolation": "nearest"}, "interpolation is 'nearest'; allowed: bicubic, bilinear"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Preprocess.of(given)


def test_channels_and_classes_have_to_be_the_dataset_s() -> None:
    with pytest.raises(UserError, match="mean has 2 numbers; allowed: 1 or, as images have"):
        Preprocess(mean=(0.5, 0.5), std=(1.0, 1.0)).shape((3, 8, 8))
    Preprocess(classes=("cat", "dog")).check_classes(("cat", "dog"), "pets")
    Preprocess().check_classes(("cat", "dog"), "pets")
    with pytest.raises(UserError, match=r"classes\[0\] is 'dog'; in dataset pets it is 'cat'"):
        Preprocess(classes=("dog", "cat")).check_classes(("cat", "dog"), "pets")
    with pytest.raises(UserError, match="classes has 1 names; dataset pets has 2"):
        Preprocess(classes=("dog",)).check_classes(("cat", "dog"), "pets")
