"""What the workflow asks a scheduler for: true to the networks, growing with the work."""

import pytest
import torch

from graphprune import demands, networks, sizes
from graphprune.data import describe, load
from graphprune.data.catalog import DATASETS
from graphprune.errors import UserError
from graphprune.models.catalog import MODELS, check_fit


def pairs():
    """Every network with the first dataset of each shape that it takes."""
    found = {}
    for model in MODELS:
        for dataset, description in DATASETS.items():
            try:
                check_fit(model, description.input_shape)
            except UserError:
                continue
            found.setdefault((model, description.input_shape), (dataset, model))
    return sorted(found.values())


@pytest.mark.parametrize(("dataset", "model"), pairs())
def test_the_table_of_sizes_is_that_of_the_networks(dataset, model):
    description = describe(dataset)
    shape = description.input_shape
    network = networks.Identity(dataset, model, shape, description.num_classes, 0).build()
    counted = {"activations": 0, "multiplications": 0}

    def count(module, _, output):
        counted["activations"] += output.numel()
        weight = getattr(module, "weight", None)
        if weight is not None and weight.dim() > 1:
            positions = output.shape[2:].numel()
            counted["multiplications"] += weight.numel() * positions

    for module in network.modules():
        if not list(module.children()):
            module.register_forward_hook(count)
    network.eval()(torch.zeros(1, *shape))
    parameters = sum(weight.numel() for weight in network.parameters())
    assert sizes.network_size(dataset, model) == sizes.Size(parameters, **counted)


@pytest.mark.parametrize("dataset", ["digits", "mnist5k"])
def test_the_table_of_datasets_is_that_of_the_files(dataset):
    loaded = load(dataset)
    splits = (loaded.train, loaded.validation, loaded.test)
    assert sum(split.images.numel() for split in splits) * 4 == sizes.dataset_bytes(dataset)


def test_every_dataset_has_a_number_of_examples():
    assert set(sizes.EXAMPLES) == set(DATASETS)


@pytest.mark.parametrize("stage", sorted(demands.BASE))
def test_every_stage_asks_for_more_than_it_holds_before_any_data(stage):
    task = demands.Task(stage, "digits", "mlp", passes=1, examples=10)
    assert demands.memory(task) > demands.BASE[stage] + demands.SNAKEMAKE
    assert demands.minutes(task) >= 1


@pytest.mark.parametrize("stage", ["train", "finetune", "learn", "score", "evaluate", "prune"])
def test_larger_networks_and_longer_trainings_ask_for_more(stage):
    def task(dataset, model, passes):
        return demands.Task(stage, dataset, model, passes=passes, examples=10)

    small, large = task("mnist5k", "lenet5", 10), task("cifar10", "vgg16_bn", 10)
    assert demands.memory(large) > demands.memory(small)
    assert demands.minutes(large) > demands.minutes(small)
    assert demands.minutes(task("cifar10", "vgg9", 400)) >= demands.minutes(
        task("cifar10", "vgg9", 100)
    )


def test_a_large_batch_asks_for_more_memory():
    small = demands.Task("train", "cifar10", "resnet20", batch=64)
    large = demands.Task("train", "cifar10", "resnet20", batch=512)
    activations = sizes.network_size("cifar10", "resnet20").activations
    assert demands.memory(large) - demands.memory(small) > 4 * 448 * activations / 2**20


def test_an_unknown_stage_is_refused():
    with pytest.raises(UserError, match=r"stage is 'trian'; allowed: .*train"):
        demands.Task("trian")
