"""Streamed datasets: the pixels of torchvision's transforms, any number of workers, damage."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
import torch
from image_folders import write_folder
from PIL import Image

from graphprune import data
from graphprune.configuration.complete import complete
from graphprune.data import feeding
from graphprune.data.augmentation import Augmenter, boxes
from graphprune.data.catalog import DATASETS
from graphprune.data.streamed import folders
from graphprune.data.streamed.images import StreamedImages
from graphprune.errors import UserError
from graphprune.methods.scoring import score
from graphprune.neural_graph import calibration
from graphprune.torchvision_import import torchvision
from graphprune.training import evaluation, loop

CPU = torch.device("cpu")


@pytest.fixture
def birds(tmp_path: Path) -> Iterator[Path]:
    """A folder of 30 training and 30 test images, and the dataset ``birds`` in the catalog."""
    write_folder(tmp_path)
    keys = {"path": str(tmp_path), "classes": 3, "size": 16, "edge": 18}
    folders.register({"folders": {"birds": keys}})
    yield tmp_path
    folders.register(None)


def in_memory(split: data.Split) -> data.Split:
    return data.Split(split.images[torch.arange(len(split))], split.labels, split.blank)


def streamed(split: data.Split) -> StreamedImages:
    assert isinstance(split.images, StreamedImages)
    return split.images


def files(split: data.Split) -> list[Path]:
    images = streamed(split)
    return [images.files.path(int(place)) for place in images.chosen]


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(768, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)
    )


@pytest.mark.usefixtures("birds")
def test_images_are_those_of_torchvisions_transforms() -> None:
    transforms = torchvision("transforms.v2")
    described = data.describe("birds")
    plain = transforms.Compose(
        [
            transforms.Resize(18),
            transforms.CenterCrop(16),
            transforms.PILToTensor(),
            transforms.ToDtype(torch.float32, scale=True),
            transforms.Normalize(described.mean, described.std),
        ]
    )
    dataset = data.load("birds")
    for split in dataset.splits().values():
        expected = torch.stack([plain(Image.open(file)) for file in files(split)])
        torch.testing.assert_close(in_memory(split).images, expected, rtol=0, atol=1e-6)
        assert [dataset.classes[label] for label in split.labels] == [
            file.parent.name for file in files(split)
        ]


@pytest.mark.usefixtures("birds")
def test_random_parts_are_those_of_torchvisions_transforms() -> None:
    functional = torchvision("transforms.v2.functional")
    split = data.load("birds").train
    augment = Augmenter("resized_crop_flip", 3, len(split))
    chosen = torch.tensor([4, 0, 11])
    ((images, _),) = feeding.batches(split, [chosen], CPU, augment, epoch=5)
    for place, index in enumerate(chosen.tolist()):
        image, drawn = Image.open(files(split)[index]), augment.of_example(index, 5)
        box = (int(number) for number in boxes(drawn, image.height, image.width))
        part = functional.resized_crop(image, *box, [16, 16])
        if drawn[0, -1] < 0.5:
            part = functional.horizontal_flip(part)
        expected = streamed(split).scaling.forward(functional.pil_to_tensor(part)[None])[0]
        assert torch.equal(images[place], expected)


def test_splits_are_taken_from_the_training_images_where_there_are_none(tmp_path: Path) -> None:
    layouts = {("train", "val"): [27, 3, 30], ("train", "val", "test"): [30] * 3, ("",): [21, 3, 6]}
    for splits, sizes in layouts.items():
        root = tmp_path / str(len(splits))
        write_folder(root, splits)
        folders.register({"folders": {"birds": {"path": str(root), "classes": 3, "size": 16}}})
        dataset = data.load("birds")
        assert [len(split) for split in dataset.splits().values()] == sizes
        assert sorted(chain(*map(files, dataset.splits().values()))) == sorted(root.rglob("*.jpg"))
        for split in dataset.splits().values():
            assert split.labels.bincount().tolist() == [len(split) // 3] * 3
    folders.register(None)


@pytest.mark.usefixtures("birds")
def test_a_manifest_is_stored_and_no_image(tmp_path: Path) -> None:
    dataset = data.load("birds")
    stored = tmp_path / "birds.safetensors"
    data.save(stored, dataset)
    again = data.read(stored)
    assert again.digest == dataset.digest
    assert stored.stat().st_size < 30_000
    for one, other in zip(dataset.splits().values(), again.splits().values(), strict=True):
        assert files(one) == files(other)
        assert torch.equal(in_memory(one).images, in_memory(other).images)
    # the digest is of what the files hold
    file = files(dataset.test)[0]
    Image.new("RGB", (20, 20)).save(file)
    assert data.load("birds").digest != dataset.digest


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.usefixtures("birds")
def test_a_network_of_its_own_preprocessing_sees_the_files_as_torchvision_s_preset_does(
    tmp_path: Path, interpolation: str
) -> None:
    data.save(tmp_path / "birds.safetensors", data.load("birds"))
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.3, 0.1]
    preset = torchvision("transforms._presets").ImageClassification(
        crop_size=20, resize_size=25, mean=mean, std=std,
        interpolation=torchvision("transforms").InterpolationMode(interpolation),
    )  # fmt: skip
    given = {"mean": mean, "std": std, "size": 20, "resize": 25, "interpolation": interpolation}
    seen = data.read(tmp_path / "birds.safetensors", given, workers=1)
    assert seen.input_shape == (3, 20, 20)
    for split in seen.splits().values():
        assert split.images.shape == (len(split), 3, 20, 20)
        assert streamed(split).workers == 1
        expected = torch.stack([preset(Image.open(file)) for file in files(split)])
        torch.testing.assert_close(in_memory(split).images, expected, rtol=0, atol=1e-6)
        assert split.blank is not None
        torch.testing.assert_close(split.blank.flatten(), -torch.tensor(mean) / torch.tensor(std))
    # what is not given stays the dataset's; without resize the whole of the shorter edge is taken
    own, scaled = (
        data.read(tmp_path / "birds.safetensors", keys).test
        for keys in ({"mean": [0.5], "std": [0.25]}, {"size": 20})
    )
    images = streamed(own)
    assert (images.size, images.edge, images.scaling.mean) == (16, 18, (0.5,))
    assert (streamed(scaled).size, streamed(scaled).edge) == (20, 20)
    assert streamed(scaled).scaling == data.read(tmp_path / "birds.safetensors").scaling


@pytest.mark.parametrize("augmentation", ["none", "crop_flip", "resized_crop_flip"])
@pytest.mark.usefixtures("birds")
def test_training_is_the_same_for_any_number_of_workers(tmp_path: Path, augmentation: str) -> None:
    data.save(tmp_path / "birds.safetensors", data.load("birds"))
    settings = loop.Settings(2, 8, seed=5, augmentation=augmentation)
    results = []
    for workers in (0, 1, 2):
        dataset = data.read(tmp_path / "birds.safetensors", workers=workers)
        model = network()
        rows = loop.train(model, dataset.train, settings, validation=dataset.validation)
        results.append([*model.state_dict().values()])
        assert rows[-1]["accuracy_validation"] == evaluation.accuracy(model, dataset.validation)
    if augmentation != "resized_crop_flip":  # there a part of the file is scaled once, not twice
        model = network()
        loop.train(model, in_memory(dataset.train), settings)
        results.append([*model.state_dict().values()])
    for other in results[1:]:
        assert all(map(torch.equal, results[0], other))


@pytest.mark.parametrize(
    ("method", "options"),
    [("snip", {"batch_size": 9}), ("probmask", {"sparsity": 0.5, "epochs": 1, "final_draws": 2})],
)
@pytest.mark.usefixtures("birds")
def test_methods_that_look_at_the_training_split_see_the_same_images(
    method: str, options: dict[str, float]
) -> None:
    split = data.load("birds").train
    held = in_memory(split)
    found = score(network(), method, split.images, split.labels, **options)  # type: ignore[arg-type]
    expected = score(network(), method, held.images, held.labels, **options)  # type: ignore[arg-type]
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.usefixtures("birds")
def test_calibration_examples_are_the_same(tmp_path: Path) -> None:
    split, model = data.load("birds").train, network()
    chosen = calibration.calibration_examples(model, split, 2, correct=False)
    held = in_memory(split)
    assert torch.equal(chosen, calibration.calibration_examples(model, held, 2, correct=False))
    calibration.save(tmp_path / "calibration", model, split, chosen)
    assert torch.equal(calibration.read(tmp_path / "calibration")[0], held.images[chosen])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.usefixtures("birds")
def test_an_image_that_changed_or_went_is_named(tmp_path: Path, workers: int) -> None:
    data.save(tmp_path / "birds.safetensors", data.load("birds"))
    test = data.read(tmp_path / "birds.safetensors", workers=workers).test
    file = files(test)[17]
    content = file.read_bytes()
    file.write_bytes(content + b"\0")
    for said in ("is not the file that the dataset was prepared from", "is a broken image ("):
        with pytest.raises(UserError) as caught:
            evaluation.predictions(network(), test.images, batch_size=5)
        assert str(caught.value).startswith(f"{file}: {said}")
        assert "\n" not in str(caught.value)
        file.unlink(missing_ok=True)


@pytest.mark.parametrize("content", [b"", b"<html>", None])
def test_a_broken_image_is_named_before_any_training(birds: Path, content: bytes | None) -> None:
    file = birds / "train" / "green" / "004.jpg"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 2 // 3] if content is None else content)
    with pytest.raises(UserError) as caught:
        data.load("birds")
    assert str(caught.value).startswith(f"{file}: is a broken image (")
    assert str(caught.value).endswith("); replace or remove it")


def test_another_number_of_classes_is_refused(birds: Path) -> None:
    folders.register({"folders": {"birds": {"path": str(birds), "classes": 4}}})
    with pytest.raises(UserError, match=r"has 3 classes; expected 4"):
        data.load("birds")


def test_a_configuration_names_folders_that_its_networks_use() -> None:
    """Planning looks at no folder; the folders of another configuration are gone."""
    keys = {"path": "/no/such", "classes": 5, "size": 32}
    config = {
        "data": {"folders": {"birds": keys}}, "seeds": [0], "compressions": [2],
        "networks": [{"dataset": "birds", "model": "resnet20"}], "methods": {"random": {}},
    }  # fmt: skip
    complete(config)
    described = data.describe("birds")
    assert described.input_shape == (3, 32, 32)
    assert (described.num_classes, described.edge) == (5, 37)
    for change, said in (
        ({"birds": {**keys, "classes": 1}}, r"data\.folders\.birds\.classes is 1; allowed: >= 2"),
        ({"Birds": keys}, "data.folders: dataset name is 'Birds'; allowed: at most 60 lower case"),
        ({"cifar10": keys}, "data.folders: dataset cifar10 is already defined by graphprune its"),
        ({"birds": 3}, r"data\.folders\.birds is 3"),
    ):
        with pytest.raises(UserError, match=said):
            complete({**config, "data": {"folders": change}})
    folders.register(None)
    assert "birds" not in DATASETS
