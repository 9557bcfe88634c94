"""What the workflow asks a scheduler for: growing with the work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from math import prod
from pathlib import Path

import pytest

from graphprune.errors import UserError
from graphprune.jobs import demands
from graphprune.models.sizes import network_size
from graphprune.plugins import only_plugins

PLUGIN = """
import graphprune

@graphprune.register_dataset("unsaid", input_shape=(3, 32, 32), num_classes=2)
def load(folder):
    raise AssertionError("planning reads no data")

@graphprune.register_dataset("said", input_shape=(3, 32, 32), num_classes=2, examples=123)
def load_said(folder):
    raise AssertionError("planning reads no data")
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[None]:
    path = tmp_path / "sets.py"
    path.write_text(PLUGIN)
    with only_plugins([path]):
        yield


@pytest.mark.parametrize("stage", sorted(demands.BASE))
def test_every_stage_asks_for_more_than_it_holds_before_any_data(stage: str) -> None:
    task = demands.Task(stage, "digits", "mlp", passes=1, examples=10)
    assert demands.memory(task) > demands.BASE[stage] + demands.SNAKEMAKE
    assert demands.minutes(task) >= 1


@pytest.mark.parametrize("stage", ["train", "finetune", "learn", "score", "evaluate", "prune"])
def test_larger_networks_and_longer_trainings_ask_for_more(stage: str) -> None:
    def task(dataset: str, model: str, passes: float) -> demands.Task:
        return demands.Task(stage, dataset, model, passes=passes, examples=10)

    small, large = task("mnist5k", "lenet5", 10), task("cifar10", "vgg16_bn", 10)
    assert demands.memory(large) > demands.memory(small)
    assert demands.minutes(large) > demands.minutes(small)
    assert demands.minutes(task("cifar10", "vgg9", 400)) >= demands.minutes(
        task("cifar10", "vgg9", 100)
    )


def test_a_large_batch_asks_for_more_memory() -> None:
    small = demands.Task("train", "cifar10", "resnet20", batch=64)
    large = demands.Task("train", "cifar10", "resnet20", batch=512)
    activations = network_size("cifar10", "resnet20").activations
    assert demands.memory(large) - demands.memory(small) > 4 * 448 * activations / 2**20


def test_a_wide_network_asks_for_more_than_the_common_one() -> None:
    common = demands.Task("train", "cifar10", "resnet20", passes=10)
    wide = demands.Task("train", "cifar10", "resnet20", passes=10, options={"width": 64})
    assert demands.memory(wide) > demands.memory(common)
    assert demands.minutes(wide) > 10 * demands.minutes(common)


@pytest.mark.parametrize("shape", [(), (3, 288, 288)])
def test_of_streamed_images_some_batches_are_held_as_the_network_sees_them(
    shape: tuple[int, ...],
) -> None:
    without, held = (
        demands.memory(
            demands.Task("score", "imagenet", "resnet18", input_shape=shape, training_split=split)
        )
        for split in (False, True)
    )
    batches = 3 * 1000 * 4 * prod(shape or (3, 224, 224)) / 2**20
    # rounded up to hundreds
    assert abs(held - without - 1.25 * batches) < 100


@pytest.mark.parametrize("stage", sorted(demands.BASE))
def test_a_gpu_adds_memory_where_it_is_used(stage: str) -> None:
    cpu = demands.memory(demands.Task(stage, "digits", "mlp"))
    gpu = demands.memory(demands.Task(stage, "digits", "mlp", device="cuda"))
    used = stage in ("train", "finetune", "learn", "evaluate", "removal")
    assert gpu - cpu == (2000 if used else 0)


def test_curvature_s_time_goes_with_the_examples() -> None:
    """CIFAR-100 has ten times the classes of CIFAR-10, so ten times the examples."""
    few, many = (
        demands.minutes(demands.Task("score", "cifar10", "resnet20", examples=examples))
        for examples in (10, 100)
    )
    assert 8 < (many - 2) / (few - 2) < 12


@pytest.mark.usefixtures("plugin")
def test_a_dataset_that_does_not_say_its_size_counts_as_cifar() -> None:
    assert demands.images_of("said") == 123
    assert demands.images_of("unsaid") == demands.images_of("cifar10") == 60_000
    said, unsaid = (demands.Task("data", name) for name in ("said", "unsaid"))
    assert demands.memory(unsaid) > demands.memory(said)


def test_plugins_ask_for_the_memory_of_their_imports_in_three_processes() -> None:
    task = demands.Task("records")
    # torch, which they mostly import, takes 200 MB in each
    assert demands.memory(task, plugins=True) >= demands.memory(task) + 3 * 200


def test_an_unknown_stage_is_refused() -> None:
    with pytest.raises(UserError, match=r"stage is 'trian'; allowed: .*train"):
        demands.Task("trian")


def test_planning_does_not_import_torch() -> None:
    code = (
        "import sys; from graphprune.jobs.demands import Task, memory, minutes;"
        "task = Task('train', 'cifar100', 'vgg16_bn', passes=3); memory(task), minutes(task);"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
