"""Which files a folder holds: torchvision's ImageFolder says the same; what is wrong is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from image_folders import CLASSES, write_folder, write_image

from graphprune.data.streamed import listing
from graphprune.errors import UserError
from graphprune.torchvision_import import torchvision


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        listing.folder("birds", path)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix("dataset birds: ")


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        (("train", "test", "val"), {"train": "train", "test": "test", "validation": "val"}),
        (("train", "val"), {"train": "train", "test": "val"}),
        (("train", "test"), {"train": "train", "test": "test"}),
        (("train",), {"train": "train"}),
        (("",), {"train": ""}),
    ],
)
def test_files_and_labels_are_those_of_image_folder(
    tmp_path: Path, places: tuple[str, ...], expected: dict[str, str]
) -> None:
    write_folder(tmp_path, places, a_class=3)
    write_image(tmp_path / places[0] / "green" / "deep" / "er.PNG", 1, 1)
    (tmp_path / places[0] / "green" / "notes.txt").write_text("no image")
    found = listing.folder("birds", tmp_path)
    assert found.classes == CLASSES
    for split in ("train", "validation", "test"):
        labelled = getattr(found, split)
        if split not in expected:
            assert labelled is None
            continue
        of_torchvision = torchvision("datasets").ImageFolder(str(tmp_path / expected[split]))
        assert [(str(tmp_path / file), label) for file, label in labelled] == of_torchvision.samples


def test_what_is_no_folder_of_classes_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none").startswith(f"no folder {tmp_path}/none; expected class")
    assert refusal(tmp_path) == f"{tmp_path} has 0 class folders; expected at least 2"


def test_an_empty_class_folder_is_named(tmp_path: Path) -> None:
    write_folder(tmp_path, a_class=2)
    for file in (tmp_path / "test" / "green").iterdir():
        file.unlink()
    assert refusal(tmp_path).startswith(f"class folder {tmp_path}/test/green holds no image; expe")


def test_classes_that_differ_between_splits_are_named(tmp_path: Path) -> None:
    write_folder(tmp_path, a_class=2)
    shutil.rmtree(tmp_path / "test" / "green")
    said = f"{tmp_path}/train has the class folder green, {tmp_path}/test has not"
    assert refusal(tmp_path).startswith(said)
    (tmp_path / "test" / "green").mkdir()
    (tmp_path / "test" / "white").mkdir()
    said = f"{tmp_path}/test has the class folder white, {tmp_path}/train has not"
    assert refusal(tmp_path).startswith(said)


def test_tiny_imagenet_takes_the_labels_of_its_test_images_from_their_list(tmp_path: Path) -> None:
    for number, name in enumerate(("n01", "n02")):
        write_image(tmp_path / "train" / name / "images" / f"{name}_0.JPEG", number, 0)
    annotations = tmp_path / "val" / "val_annotations.txt"
    with pytest.raises(UserError, match=r"unpack tiny-imagenet-200\.zip there"):
        listing.tiny_imagenet("tiny_imagenet", tmp_path)
    annotations.parent.mkdir()
    annotations.write_text("val_0.JPEG\tn02\t0\t0\t9\t9\nval_1.JPEG\tn01\t0\t0\t9\t9\n")
    found = listing.tiny_imagenet("tiny_imagenet", tmp_path)
    assert found.train == [("train/n01/images/n01_0.JPEG", 0), ("train/n02/images/n02_0.JPEG", 1)]
    assert found.test == [("val/images/val_0.JPEG", 1), ("val/images/val_1.JPEG", 0)]
    annotations.write_text("val_0.JPEG\tn02\nval_1.JPEG\n")
    with pytest.raises(UserError, match=r"val_annotations\.txt, line 2: class '' is none of train"):
        listing.tiny_imagenet("tiny_imagenet", tmp_path)
