"""The datasets of plug-ins: what a function returns becomes splits, or one line says why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import graphprune
from graphprune import data
from graphprune.errors import UserError
from graphprune.plugins import only_plugins

SHAPE = (2, 3, 4)
CLASSES = 3


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with only_plugins([]):
        yield


def images(count: int, dtype: Any = np.uint8) -> Any:
    numbers = np.random.default_rng(count).integers(0, 256, (count, *SHAPE))
    return (numbers if np.issubdtype(dtype, np.integer) else numbers / 100 - 1).astype(dtype)


def labels(count: int, dtype: Any = np.int64) -> Any:
    return (np.arange(count) % CLASSES).astype(dtype)


def register(load: Callable[[Path], Any], **more: Any) -> None:
    graphprune.register_dataset("mine", input_shape=SHAPE, num_classes=CLASSES, **more)(load)


def loaded(train: Any, test: Any) -> data.Dataset:
    register(lambda _folder: {"train": train, "test": test})
    return data.load("mine")


GOOD = (images(6), labels(6))


def refusal(train: Any, test: Any = GOOD) -> str:
    with pytest.raises(UserError) as caught:
        loaded(train, test)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_bytes_become_numbers_from_0_to_1() -> None:
    train, test = (images(60), labels(60)), (images(9), labels(9))
    dataset = loaded(train, test)
    assert [len(split) for split in dataset.splits().values()] == [54, 6, 9]
    assert dataset.scaling == data.Scaling(255, (), ())
    assert dataset.test.images.dtype == torch.float32
    np.testing.assert_array_equal(dataset.test.images, test[0].astype(np.float32) / 255)
    np.testing.assert_array_equal(dataset.test.labels, test[1])
    # a tenth of each class is for validation, and no image is lost
    assert torch.bincount(dataset.validation.labels).tolist() == [2, 2, 2]
    both = np.concatenate([dataset.train.images, dataset.validation.images]) * 255
    known = {image.tobytes() for image in np.rint(both).astype(np.uint8)}
    assert known == {image.tobytes() for image in train[0]}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floating_point_is_taken_as_it_is(dtype: Any) -> None:
    train, test = (images(60, dtype), labels(60)), (images(9, dtype), labels(9))
    dataset = loaded(train, test)
    assert dataset.scaling is None
    assert dataset.test.images.dtype == torch.float32
    np.testing.assert_array_equal(dataset.test.images, test[0].astype(np.float32))
    assert float(dataset.train.images.min()) < 0


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.uint64])
def test_labels_of_any_integer_type(dtype: Any) -> None:
    dataset = loaded((images(60), labels(60, dtype)), (images(9), labels(9, dtype)))
    assert dataset.test.labels.dtype == torch.int64
    assert dataset.test.labels.tolist() == [0, 1, 2] * 3


def test_tensors_lists_and_views_are_taken() -> None:
    tensors = (torch.from_numpy(images(60)), torch.from_numpy(labels(60)))
    lists = (images(9).tolist(), labels(9).tolist())
    with pytest.raises(UserError, match="split test: images have dtype int64; expected uint8"):
        loaded(tensors, lists)
    backwards = images(9)[::-1]
    dataset = loaded(tensors, (backwards, labels(9).tolist()))
    np.testing.assert_array_equal(dataset.test.images * 255, backwards)


def test_the_function_gets_the_folder_and_the_classes_have_their_names(tmp_path: Path) -> None:
    given = []

    def load(folder: Path) -> Any:
        given.append(folder)
        return {"train": (images(60), labels(60)), "test": (images(9), labels(9))}

    register(load, classes=("a", "b", "c"))
    assert data.load("mine", str(tmp_path)).classes == ("a", "b", "c")
    assert given == [tmp_path]
    assert isinstance(given[0], Path)
    register(load)
    assert data.load("mine", tmp_path).classes == ("0", "1", "2")


def test_a_dataset_is_stored_and_read_again(tmp_path: Path) -> None:
    for dtype in (np.uint8, np.float32):
        dataset = loaded((images(60, dtype), labels(60)), (images(9, dtype), labels(9)))
        data.save(tmp_path / "mine.safetensors", dataset)
        again = data.read(tmp_path / "mine.safetensors")
        assert again.digest == dataset.digest
        assert torch.equal(again.train.images, dataset.train.images)


@pytest.mark.parametrize(
    ("train", "sentence"),
    [
        (images(6), "is ndarray; expected (images, labels)"),
        (None, "is NoneType; expected (images, labels)"),
        ((images(6),), "is tuple; expected (images, labels)"),
        ((*GOOD, 1), "is tuple; expected (images, labels)"),
        ((images(6).reshape(6, -1), labels(6)), "images have shape (6, 24); expected (n, 2, 3, 4)"),
        ((images(6).transpose(0, 2, 3, 1), labels(6)), "images have shape (6, 3, 4, 2); expected"),
        ((images(6)[0], labels(6)), "images have shape (2, 3, 4); expected (n, 2, 3, 4)"),
        ((images(0), labels(0)), "images have shape (0, 2, 3, 4); expected (n, 2, 3, 4)"),
        ((images(6, np.int64), labels(6)), "images have dtype int64; expected uint8 or floating"),
        ((images(6) > 9, labels(6)), "images have dtype bool; expected uint8 or floating point"),
        ((images(6, np.complex64), labels(6)), "images have dtype complex64; expected uint8 or"),
        ((images(6).astype(str), labels(6)), "images have dtype <U3; expected uint8 or floating"),
        ((images(6, np.float32) * np.nan, labels(6)), "images hold NaN or infinity as float32"),
        ((images(6, np.float64) * 1e300, labels(6)), "images hold NaN or infinity as float32"),
        ((images(6), labels(5)), "labels are int64 (5,); expected integers (6,)"),
        ((images(6), labels(6)[:, None]), "labels are int64 (6, 1); expected integers (6,)"),
        ((images(6), labels(6, np.float32)), "labels are float32 (6,); expected integers (6,)"),
        ((images(6), labels(6) > 0), "labels are bool (6,); expected integers (6,)"),
        ((images(6), ["a"] * 6), "labels are <U1 (6,); expected integers (6,)"),
        ((images(6), [[1], [2, 3]]), "no arrays (ValueError: setting an array element"),
        ((torch.zeros(6, *SHAPE).requires_grad_(), labels(6)), "no arrays (RuntimeError: Can't"),
        ((images(6), None), "labels are object (); expected integers (6,)"),
    ],
)
def test_what_is_wrong_is_named_with_its_dataset_and_split(train: Any, sentence: str) -> None:
    for name, message in (("train", refusal(train)), ("test", refusal(GOOD, train))):
        assert message.startswith(f"dataset mine: split {name}")
        assert sentence in message


@pytest.mark.parametrize("wrong", [-1, CLASSES, 2**40])
def test_a_label_of_no_class_is_refused(wrong: int) -> None:
    odd = labels(60)
    odd[-1] = wrong
    assert refusal((images(60), odd)).startswith("dataset mine: split train has labels ")
    message = refusal(GOOD, (images(60), odd))
    assert message == (
        f"dataset mine: split test has labels {min(0, wrong)}..{max(2, wrong)}; allowed: 0..2"
    )


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        (None, "load returned NoneType"),
        ([GOOD, GOOD], "load returned list"),
        ({"train": GOOD}, "load returned ['train']"),
        ({"train": GOOD, "test": GOOD, "more": GOOD}, "load returned ['more', 'test', 'train']"),
        ({"train": GOOD, 1: GOOD}, "load returned ['1', 'train']"),
    ],
)
def test_what_is_no_pair_of_splits(returned: Any, sentence: str) -> None:
    register(lambda _folder: returned)
    with pytest.raises(UserError) as caught:
        data.load("mine")
    assert str(caught.value) == (
        f'dataset mine: {sentence}; expected {{"train": (images, labels), '
        '"test": (images, labels)}'
    )


def test_too_few_images_for_a_validation_split() -> None:
    """A tenth of each class, rounded: 4 images give none, 5 give one."""
    validation = loaded((images(15), labels(15)), GOOD).validation
    assert sorted(validation.labels.tolist()) == [0, 1, 2]
    assert refusal((images(12), labels(12))).startswith("dataset mine: split validation is empty;")


def test_bytes_in_one_split_and_numbers_in_the_other() -> None:
    message = refusal(GOOD, (images(6, np.float32), labels(6)))
    assert message.startswith("dataset mine: train has images of uint8, test of float32; expected")
