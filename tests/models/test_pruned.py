"""Pruned networks on disk: small, and the same network again when they are read."""

import pytest
import torch
from torch import nn

from graphprune import checkpoints, masks
from graphprune.errors import UserError
from graphprune.models import networks, pruned

IDENTITY = networks.Identity("mnist5k", "lenet5", (1, 28, 28), 10, seed=3)


@pytest.fixture
def unit(tmp_path):
    """A dense network, masks of a tenth of its weights, and a network trained under them."""
    model = IDENTITY.build()
    networks.save(tmp_path / "dense.safetensors", model.state_dict(), IDENTITY)
    generator = torch.Generator().manual_seed(1)
    scores = {n: torch.rand(w.shape, generator=generator) for n, w in masks.prunable(model).items()}
    mask = masks.prune(scores, 0.9)
    pruned.save(tmp_path / "mask.safetensors", mask)
    masks.apply(model, mask)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter += 0.1 * (mask.get(name, 1))
    file = tmp_path / "finetuned.safetensors"
    networks.save(file, model.state_dict(), IDENTITY, mask=tmp_path / "mask.safetensors")
    return tmp_path, mask, model


def equal(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[n], right[n]) for n in left)


def test_masks_take_a_bit_and_weights_only_what_is_kept(unit):
    folder, mask, model = unit
    total = sum(m.numel() for m in mask.values())
    kept = sum(int(m.sum()) for m in mask.values())
    rest = sum(t.numel() for t in model.state_dict().values()) - total
    assert (folder / "mask.safetensors").stat().st_size < total / 8 + 4000
    assert (folder / "finetuned.safetensors").stat().st_size < 4 * (kept + rest) + 4000


def test_what_is_read_is_what_was_trained(unit):
    folder, mask, model = unit
    assert equal(checkpoints.load(folder / "mask.safetensors", "mask")[0], mask)
    read, identity = networks.load(folder / "finetuned.safetensors")
    assert identity == IDENTITY
    assert equal(read.state_dict(), model.state_dict())


def test_the_pruned_network_comes_from_the_dense_one_and_the_masks(unit):
    folder, mask, _ = unit
    read, _ = networks.load_pruned(folder / "dense.safetensors", folder / "mask.safetensors")
    expected = IDENTITY.build()
    masks.apply(expected, mask)
    assert equal(read.state_dict(), expected.state_dict())
    pruned.save(folder / "mask.safetensors", mask, rescale=True)
    read, _ = networks.load_pruned(folder / "dense.safetensors", folder / "mask.safetensors")
    expected = IDENTITY.build()
    masks.rescale(expected, mask)
    masks.apply(expected, mask)
    assert equal(read.state_dict(), expected.state_dict())


def test_weights_that_the_method_trained_replace_those_of_the_dense_network(unit):
    folder, mask, _ = unit
    torch.manual_seed(0)
    trained = {name: torch.randn_like(t) for name, t in IDENTITY.build().state_dict().items()}
    pruned.save(folder / "mask.safetensors", mask, weights=trained)
    read, _ = networks.load_pruned(folder / "dense.safetensors", folder / "mask.safetensors")
    for name, tensor in read.state_dict().items():
        assert torch.equal(tensor, trained[name] * mask[name] if name in mask else trained[name])
    assert equal(checkpoints.load(folder / "mask.safetensors", "mask")[0], mask)


def test_other_masks_beside_it_are_refused(unit):
    folder, mask, _ = unit
    pruned.save(folder / "mask.safetensors", {name: ~one for name, one in mask.items()})
    with pytest.raises(UserError, match="was trained under other masks"):
        networks.load(folder / "finetuned.safetensors")
    (folder / "mask.safetensors").unlink()
    with pytest.raises(UserError, match=r"mask\.safetensors: no such file"):
        networks.load(folder / "finetuned.safetensors")


def test_a_weight_that_came_back_is_refused_when_it_is_written(unit):
    folder, mask, model = unit
    name = next(iter(mask))
    with torch.no_grad():
        dict(model.named_parameters())[name][~mask[name]] = 1e-9
    with pytest.raises(UserError, match="outside its mask that are not 0"):
        networks.save(
            folder / "other.safetensors",
            model.state_dict(),
            IDENTITY,
            mask=folder / "mask.safetensors",
        )
    assert not (folder / "other.safetensors").exists()


def test_a_shared_weight_is_stored_once():
    first, second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
    second.weight = first.weight
    state = nn.Sequential(first, second).state_dict()
    mask = {"0.weight": torch.eye(3, dtype=torch.bool)}
    short, aliases = pruned.compress(state, mask)
    assert aliases == {"1.weight": "0.weight"}
    assert short["0.weight"].shape == (3,)
    full = pruned.expand("x", short, mask, aliases)
    assert torch.equal(full["1.weight"], state["0.weight"] * mask["0.weight"])
